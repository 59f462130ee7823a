"""``python -m engine.cli`` is ``engine``."""

from engine.cli import script

if __name__ == "__main__":
    script()
