"""One model's checkpoint, as what a piece is about."""

from pydantic import BaseModel, ConfigDict


class CheckpointPiece(BaseModel):
    """A model's weights after so many updates."""

    model_config = ConfigDict(frozen=True)

    model: str
    checkpoint: int
