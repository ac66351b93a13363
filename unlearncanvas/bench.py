"""``python -m unlearncanvas.bench``: the front door; the command is in ``cli/bench.py``."""

from unlearncanvas.cli.bench import main

if __name__ == "__main__":
    main()
