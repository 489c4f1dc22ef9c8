"""Entry point of the command line."""

import sys
import warnings

from gatefill import __version__


def main() -> int:
    """Run the command line on the process's arguments and return the exit status."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):  # before the command line's packages are imported
        print(__version__)
        return 0
    # Pillow warns of broken EXIF data and the like; gatefill reports by itself what matters.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # torch warns about pickles that gatefill then refuses, or reads safely.
    warnings.filterwarnings("ignore", "Detected pickle protocol")
    try:
        from gatefill.cli import run

        return run(arguments)
    except KeyboardInterrupt:  # while the command line itself was starting or ending
        return 130


if __name__ == "__main__":
    sys.exit(main())
