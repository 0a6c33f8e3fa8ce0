"""The table of networks: one line for each file."""

from __future__ import annotations

from hyperacuity.networks import (
    acute,
    compact,
    dat,
    edsr,
    espcn,
    fsrcnn,
    imdn,
    mdsr,
    msrresnet,
    plksr,
    rcan,
    residual_transposed,
    restorer,
    rrdb,
    span,
    srcnn,
    srresnet,
    subpixel,
    swinir,
    transposed,
    vae,
    vdsr,
)
from hyperacuity.networks.declaration import Declaration

NETWORKS: dict[str, Declaration] = {
    "srcnn": srcnn.DECLARATION,
    "fsrcnn": fsrcnn.DECLARATION,
    "espcn": espcn.DECLARATION,
    "transposed": transposed.DECLARATION,
    "residual_transposed": residual_transposed.DECLARATION,
    "subpixel": subpixel.DECLARATION,
    "vdsr": vdsr.DECLARATION,
    "srresnet": srresnet.DECLARATION,
    "msrresnet": msrresnet.DECLARATION,
    "edsr": edsr.DECLARATION,
    "mdsr": mdsr.DECLARATION,
    "rrdb": rrdb.DECLARATION,
    "rcan": rcan.DECLARATION,
    "compact": compact.DECLARATION,
    "imdn": imdn.DECLARATION,
    "swinir": swinir.DECLARATION,
    "dat": dat.DECLARATION,
    "span": span.DECLARATION,
    "plksr": plksr.DECLARATION,
    "acute": acute.DECLARATION,
    "restorer": restorer.DECLARATION,
    "vae": vae.DECLARATION,
}
