"""A script and its model on their way to a worker on another machine."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from scorewright.service.batch.order import Order

_CODE, _MODEL = "code", "model"


@dataclass(frozen=True)
class Parcel:
    """The script's folder and, where that is another, the model's: a tar archive."""

    content: bytes
    bundle: bool
    script: str
    model: str | None
    """Where the model's folder is in the archive."""

    @classmethod
    def of(cls, order: Order) -> Self:
        """Pack what an order names."""
        script = Path(order.script)
        root = Path(order.bundle) if order.bundle is not None else script.parent
        model = None if order.model_dir is None else Path(order.model_dir)
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            archive.add(root, _CODE, filter=_without_caches)
            inside = None
            if model is not None and model.is_relative_to(root):
                inside = str(Path(_CODE, model.relative_to(root)))
            elif model is not None and model.is_dir():
                archive.add(model, _MODEL, filter=_without_caches)
                inside = _MODEL
        return cls(content.getvalue(), order.bundle is not None, str(script.relative_to(root)), inside)

    def unpack(self, folder: Path, order: Order) -> Order:
        """Unpack it in a folder; the order with the paths there."""
        with tarfile.open(fileobj=io.BytesIO(self.content)) as archive:
            archive.extractall(folder, filter="data")
        root = folder / _CODE
        return replace(
            order,
            script=str(root / self.script),
            bundle=str(root) if self.bundle else None,
            model_dir=order.model_dir if self.model is None else str(folder / self.model),
        )


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member
