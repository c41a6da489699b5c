"""`python -m neurcodec` is `ncodec`."""

from neurcodec.cli import main

main()
