"""Requests and responses of the service, as pydantic models for OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# A gray photo of 8 x 8 pixels and a mask with a square hole: small enough for the documents.
EXAMPLE_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAF0lEQVR42mOUY9Bg0GDQYGDhYoBA8hgATzoBzGC+"
    "DWAAAAAASUVORK5CYII="
)
EXAMPLE_MASK = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAFElEQVR42mNgwAv+/2dgYGBiIAwAUT8CAbdEfvsA"
    "AAAASUVORK5CYII="
)

FEATHER: Any = Field(
    0,
    ge=0,
    le=500,
    description="Width in pixels of a soft edge around the hole: the photo changes there, too.",
)
OutputFormat = Literal["same", "png", "jpg", "webp", "tiff", "bmp", "avif"]


class FileOptions(BaseModel):
    """Encoding of the image in the response."""

    model_config = ConfigDict(extra="ignore")

    format: OutputFormat = Field(
        default="same",
        description="same: the format of the photo, or PNG if that cannot be written.",
    )
    quality: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="For JPEG, AVIF, lossy WebP. Default: a JPEG keeps blocks outside the hole.",
    )
    lossless: bool | None = Field(
        default=None,
        description="Whether WebP is lossless. Default: false only if the photo is a lossy WebP.",
    )


class InpaintOptions(FileOptions):
    """Options of a fill; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: Annotated[str | None, Field(max_length=200)] = Field(
        None, description="One of the models of GET /api/v1/methods. Default: the server's default."
    )
    grow: int = Field(
        0, ge=0, le=1000, description="Number of pixels by which the hole is dilated."
    )
    feather: int = FEATHER
    invert_mask: bool = Field(False, description="Black marks the hole.")
    resize_mask: bool = Field(False, description="Stretch a mask of another size to the photo's.")
    threshold: int = Field(127, ge=0, le=254, description="Mask pixels above this level are hole.")
    mask_as_stored: bool = Field(
        False,
        description="The mask fits the photo as stored, before the EXIF orientation is applied.",
    )
    allow_truncated: bool = Field(
        False, description="Read what is left of a truncated photo or mask."
    )
    use_extender: bool = Field(
        False, description="Extend the photo to the frame below; its margins are filled, too."
    )
    extender_x: int = Field(0, description="Left edge of the frame in the photo; may be negative.")
    extender_y: int = Field(0, description="Its upper edge.")
    extender_width: int = Field(640, ge=1, description="Its width in pixels.")
    extender_height: int = Field(640, ge=1, description="Its height in pixels.")
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**64,
        description="Random seed of the fill, for methods with one.",
    )
    sd_seed: int | None = Field(
        None, description="The name of the seed in IOPaint; negative: a random one."
    )


class InpaintRequest(InpaintOptions):
    """JSON as sent by IOPaint's clients: images in base64, with or without a data-URI prefix.

    IOPaint's other fields are ignored. Numbers may be sent as text.
    """

    model_config = ConfigDict(extra="ignore")

    image: str = Field(min_length=1, description="The photo.")
    mask: str | None = Field(
        None,
        description="White = hole, of the photo's size. Default: the photo's transparent part.",
    )
    sketch: str | None = Field(None, description="White = edge, for models that accept a sketch.")
    search: str | None = Field(
        None, description="White = region to copy from, for models that accept it."
    )


class AdjustMaskRequest(BaseModel):
    """A mask to dilate, erode or invert. Numbers may be sent as text."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "example": {"mask": EXAMPLE_MASK, "operate": "expand", "kernel_size": 1}
        },
    )

    mask: str = Field(min_length=1, description="Base64; white = hole.")
    operate: Literal["expand", "shrink", "reverse"]
    kernel_size: int = Field(5, ge=0, le=1000, description="Pixels on all sides.")


class SwitchModelRequest(BaseModel):
    """The new default model."""

    model_config = ConfigDict(
        extra="ignore", strict=True, json_schema_extra={"example": {"name": "patchmatch"}}
    )

    name: str = Field(min_length=1, max_length=200)


class Error(BaseModel):
    """The reason why a request failed."""

    error: str = Field(description="A short, stable name.")
    detail: str = Field(description="A sentence for the user.")
    errors: str = Field(description="The same sentence, where IOPaint's clients look for it.")
    message: str = Field(description="The sentence in English or Korean, as Accept-Language asks.")
    code: str = Field(description="A stable code such as mask.size; see docs/errors.md.")
    values: dict[str, Any] = Field(description="The values in the sentence, by name.")


class JobState(BaseModel):
    """A job in the background."""

    id: str
    state: Literal["waiting", "working", "done", "failed", "canceled"]
    share: float = Field(description="The completed fraction, in [0, 1].")
    error: Error | None = Field(None, description="Why it failed.")


class MethodRow(BaseModel):
    """A method: the four properties are those of the first table of arXiv 1806.03589."""

    name: str
    title: str
    paper: str
    semantic: bool
    non_local: bool
    free_form: bool
    user_guided: bool
    takes_sketch: bool
    takes_search: bool
    takes_weights: bool


class ModelRow(MethodRow):
    """A method with its weights, ready to fill."""

    seeded: bool = Field(description="Whether fills depend on a random seed.")
    model: str = Field(description="The name for the field model of a request.")
    weights: str | None
    chosen: bool


class Methods(BaseModel):
    """All methods, and the models of this server."""

    methods: list[MethodRow]
    models: list[ModelRow]


class ModelInfo(BaseModel):
    """A model in the schema of IOPaint."""

    name: str
    path: str
    model_type: str = "inpaint"
    is_single_file_diffusers: bool = False
    need_prompt: bool = False
    controlnets: list[str] = []
    support_strength: bool = False
    support_outpainting: bool = False
    support_lcm_lora: bool = False
    support_controlnet: bool = False
    support_freeu: bool = False


class ServerConfig(BaseModel):
    """IOPaint's response, with all features off that gatefill lacks, and the server's limits."""

    version: str
    max_bytes: int
    max_pixels: int
    seconds: float
    plugins: list[str] = []
    modelInfos: list[ModelInfo]  # noqa: N815 - IOPaint's names
    removeBGModel: str = ""  # noqa: N815
    removeBGModels: list[str] = []  # noqa: N815
    realesrganModel: str = ""  # noqa: N815
    realesrganModels: list[str] = []  # noqa: N815
    interactiveSegModel: str = ""  # noqa: N815
    interactiveSegModels: list[str] = []  # noqa: N815
    enableFileManager: bool = False  # noqa: N815
    enableAutoSaving: bool = False  # noqa: N815
    enableControlnet: bool = False  # noqa: N815
    controlnetMethod: str | None = None  # noqa: N815
    disableModelSwitch: bool = False  # noqa: N815
    isDesktop: bool = False  # noqa: N815
    samplers: list[str] = []


class GenInfo(BaseModel):
    """What IOPaint reads from images that a diffusion model made."""

    prompt: str = ""
    negative_prompt: str = ""


class ServerState(BaseModel):
    """State of the server: running, or still loading its models."""

    status: Literal["ok", "starting"]


class EditOptions(BaseModel):
    """Options of a fill in the editor; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: Annotated[str | None, Field(max_length=200)] = Field(
        None, description="Default: the server's choice."
    )
    seed: int | None = Field(None, ge=0, lt=2**64, description="Random seed of the fill.")
    feather: int = FEATHER


class Margins(BaseModel):
    """What to add on each side of a photo, in pixels."""

    model_config = ConfigDict(extra="ignore")

    left: int = Field(0, ge=0)
    top: int = Field(0, ge=0)
    right: int = Field(0, ge=0)
    bottom: int = Field(0, ge=0)


class SelectOptions(BaseModel):
    """Options of a selection; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    box: str | None = Field(
        None,
        pattern=r"^\s*\d{1,6}(\s*,\s*\d{1,6}){3}\s*$",
        description="left,top,right,bottom in pixels: a rough box around the object or the people.",
    )
    width: int | None = Field(
        None, ge=1, description="Width of the widest speck or scratch in pixels."
    )
    sensitivity: float = Field(0.5, ge=0, le=1, description="For dust, from 0 to 1.")
    grow: int = Field(
        0, ge=0, le=1000, description="Number of pixels by which the mask is dilated."
    )

    @property
    def corners(self) -> tuple[int, ...] | None:
        """Return the box as numbers."""
        return None if self.box is None else tuple(int(side) for side in self.box.split(","))


class Layout(BaseModel):
    """Positions of painted parts and patches in the photo: (left, top) in pixels."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mask: tuple[int, int] = (0, 0)
    take: tuple[int, int] = (0, 0)
    avoid: tuple[int, int] = (0, 0)
    patches: list[tuple[int, int]] = Field(default=[], max_length=500)
