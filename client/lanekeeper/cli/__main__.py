"""`python -m lanekeeper.cli` is the `lane` command."""

from lanekeeper.cli.main import main

if __name__ == "__main__":
    main()
