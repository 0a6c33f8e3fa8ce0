"""Places for files: folders of the file system, and object stores that fsspec knows, by one interface.

locations    paths and URLs as text: `is_url`, `join`, `check`
protocol     what a store does: `Store`, `Entry`
local        folders: `LocalStore`
remote       s3://, gs:// and other URLs of fsspec: `RemoteStore`
opening      the store of a path or URL: `open_store`
"""

from __future__ import annotations

from hyperacuity.stores.locations import check, is_url, join, name_of, parent_of
from hyperacuity.stores.opening import open_store
from hyperacuity.stores.protocol import Entry, Store

__all__ = ["Entry", "Store", "check", "is_url", "join", "name_of", "open_store", "parent_of"]
