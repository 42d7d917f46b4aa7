"""The pydantic base of everything that is read from a file."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen record in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
