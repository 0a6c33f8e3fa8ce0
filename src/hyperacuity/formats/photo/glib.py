"""GLib's own messages, kept off the terminal.

GLib, on which libvips is built, prints warnings such as "(process:1): GLib-GObject-CRITICAL **: ...". What matters in
them also reaches us as an error, so they go to Python's logger "pyvips", where a developer can see them.
"""

from __future__ import annotations

import atexit
import functools
import logging

# GLib's names for the libraries that print; pyvips itself takes "VIPS".
_DOMAINS = (b"GLib", b"GLib-GObject", b"GLib-GIO", b"GModule", b"GThread")
# All of GLib's levels and the flags of fatal and recursive messages.
_LEVELS = 0xFF


@functools.cache
def silence_terminal() -> None:
    """Send GLib's messages to Python's logger "pyvips", from the first call on."""
    import pyvips

    # Without a handler of its own, Python prints warnings of a logger.
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    for domain in _DOMAINS:
        number = pyvips.glib_lib.g_log_set_handler(domain, _LEVELS, pyvips._log_handler_cb, pyvips.ffi.NULL)
        # GLib must not call into Python while the interpreter ends.
        atexit.register(pyvips.glib_lib.g_log_remove_handler, domain, number)
