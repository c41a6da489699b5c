"""The extensions' options of the command. Their values go by their names to `neurcodec.encode`."""

from neurcodec.extensions.caption import option as caption
from neurcodec.extensions.detail import option as detail
from neurcodec.extensions.sketch import option as sketch

OPTIONS = (detail.OPTION, caption.OPTION, sketch.OPTION)
