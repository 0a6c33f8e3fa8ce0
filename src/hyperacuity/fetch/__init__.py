"""Published weights by name: downloaded once, verified, converted, and then models like those of the package.

    install(name)       the models of an entry of `zoo.read_catalogue`, in the user's cache folder

`addresses` knows mirrors and the wish to stay offline, `transfer` downloads a file and resumes it (`partial` is what
has arrived, `failures` what went wrong), `verification` compares its hash before anything reads it, `installation` puts
these together. Nothing here runs unless it is asked for.
"""

from __future__ import annotations

from hyperacuity.fetch.installation import Installed, install

__all__ = ["Installed", "install"]
