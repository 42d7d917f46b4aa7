"""The pydantic base of everything that is read from a file."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen record in which an unknown key is an error."""

    # The loss of a diverged training is NaN, and its record must stay readable.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")
