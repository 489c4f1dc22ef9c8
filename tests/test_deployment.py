"""Workflows and manifests: valid by their schemas, and naming only what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gatefill.cli.serve import serve

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _checked(schema: str, path: Path) -> subprocess.CompletedProcess[str]:
    """What check-jsonschema says of a file, by a schema that comes with it."""
    pytest.importorskip("check_jsonschema")
    command = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path)
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_follow_their_schema(path: Path) -> None:
    done = _checked("vendor.github-workflows", path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_name_tests_scripts_and_targets_that_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    named = re.findall(r"\b(?:tests|scripts|examples)/[\w./]+\w", text)
    assert named
    assert not {name for name in named if not (ROOT / name).exists()}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_install_only_extras_that_exist(path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    installed = re.findall(r"""["']\.\[(.*?)\]["']""", path.read_text("utf-8"))
    assert {name for each in installed for name in each.split(",")} <= {
        *project["optional-dependencies"]
    }


def test_every_supported_python_is_tested() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    supported = set(re.findall(r"Python :: (3\.\d+)", project))
    matrix = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    tested = re.search(r"core:\n.*?python: \[(.*?)\]", matrix, re.DOTALL)
    assert tested is not None
    assert set(re.findall(r"3\.\d+", tested[1])) == supported


def test_a_job_without_network_refuses_to_run_with_one() -> None:
    if shutil.which("ip") is None or not Path("/sys/class/net").is_dir():
        pytest.skip("needs Linux with iproute2")
    if len(list(Path("/sys/class/net").iterdir())) < 2:
        pytest.skip("needs a network")
    done = subprocess.run(
        ["sh", "scripts/without_network.sh", "echo", "ran"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ran" not in done.stdout


# Containers and clusters


def test_compose_follows_its_schema() -> None:
    done = _checked("vendor.compose-spec", ROOT / "compose.yaml")
    assert done.returncode == 0, done.stdout


def _documents(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all((ROOT / "deploy" / name).read_text("utf-8")))


def _flags(arguments: list[str]) -> set[str]:
    return {each.partition("=")[0] for each in arguments if each.startswith("--")}


def _known_flags() -> set[str]:
    names = serve.__kwdefaults__
    return {"--" + name.replace("_", "-") for name in names}


def test_kubernetes_manifests_follow_their_schemas() -> None:
    kubernetes = pytest.importorskip("kubernetes_validate")
    documents = _documents("kubernetes.yaml")
    assert {each["kind"] for each in documents} == {"Deployment", "Service", "Ingress"}
    for document in documents:
        kubernetes.validate(document, kubernetes.latest_version(), strict=True)
    (container,) = documents[0]["spec"]["template"]["spec"]["containers"]
    assert _flags(container["args"]) <= _known_flags()
    assert container["securityContext"]["readOnlyRootFilesystem"]


# The fields of KubeRay's RayJob (ray.io/v1) that the example may use; pods are checked as pods.
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_GROUP = {"rayStartParams": _TEXTS, "template": {"type": "object"}}
_COUNT = {"type": "integer", "minimum": 0}
RAY_JOB = {
    "type": "object",
    "additionalProperties": False,
    "required": ["entrypoint", "rayClusterSpec"],
    "properties": {
        "entrypoint": {"type": "string"},
        "runtimeEnvYAML": {"type": "string"},
        "shutdownAfterJobFinishes": {"type": "boolean"},
        "ttlSecondsAfterFinished": _COUNT,
        "activeDeadlineSeconds": _COUNT,
        "backoffLimit": _COUNT,
        "submissionMode": {"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
        "rayClusterSpec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["headGroupSpec"],
            "properties": {
                "rayVersion": {"type": "string"},
                "enableInTreeAutoscaling": {"type": "boolean"},
                "headGroupSpec": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": list(_GROUP),
                    "properties": {**_GROUP, "serviceType": {"type": "string"}},
                },
                "workerGroupSpecs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": [*_GROUP, "groupName", "minReplicas", "maxReplicas"],
                        "properties": {
                            **_GROUP,
                            "groupName": {"type": "string"},
                            "replicas": _COUNT,
                            "minReplicas": _COUNT,
                            "maxReplicas": _COUNT,
                        },
                    },
                },
            },
        },
    },
}


def test_the_ray_job_follows_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    kubernetes = pytest.importorskip("kubernetes_validate")
    (job,) = _documents("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    jsonschema.validate(job["spec"], RAY_JOB)
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **group["template"]}
        kubernetes.validate(pod, kubernetes.latest_version(), strict=True)
    assert job["spec"]["entrypoint"].split()[:2] == ["gatefill", "batch"]
    pinned = (ROOT / "constraints.txt").read_text("utf-8")
    assert f"ray=={cluster['rayVersion']}\n" in pinned


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.cuda"])
def test_images_are_what_they_should_be(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    lines = text.splitlines()
    assert "USER 10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    (start,) = (re.findall(r'"(.+)"', line)[0] for line in lines if line.startswith("ENTRYPOINT"))
    assert f"cat > {start} <<" in (ROOT / "deploy" / "install.sh").read_text("utf-8")
    command = re.findall(r'"([^"]+)"', next(line for line in lines if line.startswith("CMD [")))
    assert command[0] == "serve"
    assert _flags(command) <= _known_flags()
    # What the build needs of the repository reaches it past .dockerignore.
    let_in = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line[0] == "!"
    }
    needed = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    needed |= set(re.findall(r"--mount=source=([\w./]+)", text))
    assert needed <= let_in
    assert all((ROOT / each).exists() for each in needed)


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize(
    ("extras", "installed"), [("serve,heif", "x.whl[serve,heif]"), ("", "x.whl")]
)
def test_images_can_be_made_of_the_core_alone(extras: str, installed: str) -> None:
    """``x.whl[]`` is no requirement for pip."""
    (line,) = re.findall(r"pip install .+", (ROOT / "deploy" / "install.sh").read_text("utf-8"))
    command = f"wheel=$1 extras=$2; shift 2; printf %s {line.split()[-1]}"
    done = subprocess.run(
        ["sh", "-euc", command, "install", "x.whl", extras],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout == installed


def test_the_proxy_and_the_service_agree_on_the_prefix() -> None:
    yaml = pytest.importorskip("yaml")
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    command = compose["services"]["gatefill"]["command"]
    assert _flags(command) <= _known_flags()
    (prefix,) = (each.partition("=")[2] for each in command if each.startswith("--root-path"))
    proxy = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    assert f"location {prefix}/ {{" in proxy
    assert "proxy_pass http://gatefill:8731/;" in proxy, "without the prefix"
