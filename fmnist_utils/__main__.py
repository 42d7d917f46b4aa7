"""Start the ``fmnist`` command, which hears Ctrl-C from the first moment on."""

import io
import os
import sys

from fmnist_utils.training.interrupts import acknowledge, ctrl_c_at_checks, handle_interrupts


def main() -> None:
    """Run the command."""
    # Without it TensorFlow reports on drivers and instruction sets whenever it is loaded.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    handle_interrupts()
    _mend_streams()
    try:
        with ctrl_c_at_checks():  # an import that is cut short may swallow it, or leave a traceback
            from fmnist_utils.cli import app
        app()
    except KeyboardInterrupt:
        acknowledge()
        sys.exit(130)


def _mend_streams() -> None:
    """Print to a terminal that cannot show every letter, and to one that is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - as long as we run
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
