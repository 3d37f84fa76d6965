"""How the first weights of a network are drawn."""

from typing import Annotated

from pydantic import Field, FiniteFloat

from schemas.task_settings import Settings

Gain = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class StartSettings(Settings):
    """How the first weights are drawn; what is left out is drawn as torch's modules do.

    A gain is the standard deviation of what a row of weights adds up to: weights are normal, with a standard
    deviation of gain / sqrt(values read that are not 0), 1 of a one-hot character, as many as a layer has neurons.
    """

    characters: Gain | None = Field(None, description="gain of the first layer's weights on its character")
    below: Gain | None = Field(None, description="gain of the other layers' weights on the layer below")
    recurrent: Gain | None = Field(None, description="gain of the weights on the step before")
    readout: Gain | None = Field(None, description="gain of the read-out's weights on the last layer")
    keep: FiniteFloat = Field(
        0.0,
        description="added to the bias of the forget gate, or of a GRU's update gate: above 0 a cell remembers",
    )
