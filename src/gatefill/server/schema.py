"""What the service takes and gives, in the words of OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# A grey photo of 8 x 8 pixels and a mask with a square hole: small enough for the documents.
EXAMPLE_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAF0lEQVR42mOUY9Bg0GDQYGDhYoBA8hgATzoBzGC+"
    "DWAAAAAASUVORK5CYII="
)
EXAMPLE_MASK = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAFElEQVR42mNgwAv+/2dgYGBiIAwAUT8CAbdEfvsA"
    "AAAASUVORK5CYII="
)

OutputFormat = Literal["same", "png", "jpg", "webp", "tiff", "bmp", "avif"]


class FileOptions(BaseModel):
    """How the reply's image is written."""

    model_config = ConfigDict(extra="ignore")

    format: OutputFormat = Field(
        default="same",
        description="Of the reply: same is the photo's own, or PNG where that cannot be written.",
    )
    quality: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Of JPEG, AVIF, lossy WebP. Without it a JPEG keeps blocks outside the hole.",
    )
    lossless: bool | None = Field(
        default=None,
        description="Whether WebP keeps every pixel. Default: unless the photo is a lossy WebP.",
    )


class InpaintOptions(FileOptions):
    """What may be said about a fill beside its images; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: Annotated[str | None, Field(max_length=200)] = Field(
        None, description="One of GET /api/v1/methods' models; default: the server's choice."
    )
    grow: int = Field(0, ge=0, le=1000, description="Pixels by which the hole is widened.")
    invert_mask: bool = Field(False, description="Black marks the hole.")
    resize_mask: bool = Field(False, description="Stretch a mask of another size to the photo's.")
    threshold: int = Field(
        127, ge=0, le=254, description="Of 255: what is brighter in the mask is the hole."
    )
    mask_as_stored: bool = Field(
        False, description="The mask fits the photo as its file stores it, before EXIF turns it."
    )
    allow_truncated: bool = Field(
        False, description="Take what there is of a photo or mask that is cut off."
    )
    sd_seed: int = Field(42, description="Accepted for IOPaint's clients and echoed in X-Seed.")


class InpaintRequest(InpaintOptions):
    """JSON as IOPaint's clients send it: images in base64, with a data-URI prefix or without.

    IOPaint's many other fields are ignored.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    image: str = Field(min_length=1, description="The photo.")
    mask: str | None = Field(
        None,
        min_length=1,
        description="White = hole, of the photo's size. Default: the photo's transparent part.",
    )
    sketch: str | None = Field(
        None, min_length=1, description="White = edge, for models that take a sketch."
    )
    search: str | None = Field(
        None, min_length=1, description="White = where to copy from, for models that take it."
    )


class AdjustMaskRequest(BaseModel):
    """A mask to be made wider, narrower or the opposite."""

    model_config = ConfigDict(extra="ignore", strict=True)

    mask: str = Field(min_length=1, description="Base64; white = hole.")
    operate: Literal["expand", "shrink", "reverse"]
    kernel_size: int = Field(5, ge=0, le=1000, description="Pixels on all sides.")


class SwitchModelRequest(BaseModel):
    """The model to be taken where a request names none."""

    model_config = ConfigDict(extra="ignore", strict=True)

    name: str = Field(min_length=1, max_length=200)


class Error(BaseModel):
    """Why a request was not served."""

    error: str = Field(description="A short name, the same every time.")
    detail: str = Field(description="A sentence for people.")
    code: str = Field(description="What went wrong, such as mask.size; see docs/errors.md.")
    values: dict[str, Any] = Field(description="What the sentence was made of, by name.")


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

    model: str = Field(description="The name to choose it by.")
    weights: str | None
    chosen: bool


class Methods(BaseModel):
    """All methods there are, and the models that this server offers."""

    methods: list[MethodRow]
    models: list[ModelRow]


class ModelInfo(BaseModel):
    """A model in IOPaint's words."""

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
    """IOPaint's answer, with everything off that gatefill has not, and our limits."""

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


class ServerState(BaseModel):
    """Whether the server is alive, and whether it is warm."""

    status: Literal["ok", "starting"]


class Layout(BaseModel):
    """Where parts lie in the photo: (left, top) in pixels."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mask: tuple[int, int] = (0, 0)
    patches: list[tuple[int, int]] = Field(default=[], max_length=500)
