"""The HTTP interface, /v1, and the page.

application   `build`: the application, from the parts below
problems      errors as RFC 9457 problem+json
identity      who asks: tokens, sessions, or the one local user
guard         security headers, and the checks of Host and origin, for every request
uploads       resumable uploads by the tus protocol
jobs          jobs, their events, and the short way: an image in, its result out
results       results, previews, archives
description   what the description of the interface says beyond types
system        models, limits, health, metrics
events        tells waiting requests what has changed in the store
deadlines     connections that are too slow
"""
