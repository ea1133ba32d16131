"""`python -m cli ...` and `torchrun -m cli ...`: the `mammo` command from a bare checkout."""

from cli.main import main

if __name__ == "__main__":
    main()
