"""How the first weights of a network are drawn."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from schemas.task_settings import Settings

AS_TORCH: Literal["torch"] = "torch"
Gain = Literal["torch"] | Annotated[float, Field(ge=0, allow_inf_nan=False)]


class StartSettings(Settings):
    """How the first weights are drawn.

    A gain is the standard deviation of what a row of weights adds up to: weights are normal, with a standard
    deviation of gain / sqrt(values read that are not 0), 1 of a one-hot character, as many as a layer has neurons.
    `"torch"` instead of a gain: as torch's modules draw, within 1 / sqrt(neurons), which biases always are.
    """

    characters: Gain = Field(1.0, description="gain of the first layer's weights on its character")
    below: Gain = Field(2.3, description="gain of the other layers' weights on the layer below")
    recurrent: Gain = Field(AS_TORCH, description="gain of the weights on the step before")
    readout: Gain = Field(1.7, description="gain of the read-out's weights on the last layer")
    keep: FiniteFloat = Field(
        0.0,
        description="added to the bias of the forget gate, or of a GRU's update gate: above 0 a cell remembers",
    )
