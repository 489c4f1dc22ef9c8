"""What `make demo` says at its end: where the result is, and what to try next."""

from __future__ import annotations

from pathlib import Path

from gatefill.cli import app

HINTS = {
    "edit": "brush away what you like, in the browser",
    "inpaint": "your own photo: white in the mask is what goes",
    "methods": "the methods, and what each can do",
    "masks": "a folder of random masks",
}
LINES = {"edit": "edit PHOTO", "inpaint": "inpaint PHOTO MASK -o OUT", "masks": "masks FOLDER"}


def main() -> None:
    here = Path.cwd()
    print("\nbefore:", here / "examples/marsh.jpg")
    print("mask:  ", here / "examples/marsh_mask.png")
    print("after: ", here / "out/demo/marsh.jpg")
    print("\ntry next, after `. .venv/bin/activate`:")
    for verb, meaning in HINTS.items():
        if verb in app:
            print(f"  gatefill {LINES.get(verb, verb):27} {meaning}")


if __name__ == "__main__":
    main()
