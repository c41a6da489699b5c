"""The option --caption: the text, or the name of a file that holds it."""

from __future__ import annotations

import errno
from pathlib import Path

import click

from neurcodec.errors import InputError
from neurcodec.extensions.caption.text import CAPTION_BYTES, utf8


class Caption(click.ParamType[str]):
    """Text of 1 to CAPTION_BYTES bytes in UTF-8, or a file of it; line breaks and runs of blanks become one blank."""

    name = "caption"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            if Path(text).is_file():
                with Path(text).open("rb") as source:
                    text = source.read(4 * CAPTION_BYTES).decode("utf-8")
        except UnicodeDecodeError:
            self.fail(f"{value}: the file is not UTF-8 text", param, ctx)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                self.fail(f"{value}: {error.strerror}", param, ctx)
        text = " ".join(text.split())
        try:
            utf8(text)
        except InputError as error:
            self.fail(str(error), param, ctx)
        return text


OPTION = click.option(
    "--caption", type=Caption(), metavar="TEXT|FILE", help="What the video shows, in words, for the generator."
)
