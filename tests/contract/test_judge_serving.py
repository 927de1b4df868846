"""How azmlinfsrv is started, and ours by the same words: flags, environment, files, refusals, browsers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from scorewright.build.context import make_context
from scorewright.bundle import Bundle
from tests.contract.exchange import Asked, ask, post
from tests.contract.judge import AZURE, PLAIN, judged_exit, judging_with, require_azure, require_judge
from tests.contract.test_judge_scripts import compared, laid_out
from tests.service.servers import WAIT_SECONDS, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples_run import Example

pytestmark = pytest.mark.judge

ECHO = "def init():\n    pass\n\n\ndef run(data):\n    return data\n"


class Start(NamedTuple):
    """A way to name the script, in a folder with these files."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    files: dict[str, str]


STARTS = {
    "a path": Start(("--entry_script", "./code/score.py"), {}, {"code/score.py": ECHO}),
    "an app root": Start(("--entry_script", "code/score.py"), {"AML_APP_ROOT": "code"}, {"code/score.py": ECHO}),
    "main": Start(("--config_file", "mine.json"), {}, {"mine.json": '{"SCORING_TIMEOUT_MS": 900}', "main.py": ECHO}),
    "in a file": Start(
        ("--config_file", "mine.json"),
        {},
        {"mine.json": '{"AZUREML_ENTRY_SCRIPT": "code/score.py"}', "code/score.py": ECHO},
    ),
    "in the environment": Start(
        ("--config_file", "mine.json"),
        {"AZUREML_ENTRY_SCRIPT": "code/score.py"},
        {"mine.json": "{}", "code/score.py": ECHO},
    ),
    "a source directory": Start(
        ("--entry_script", "score.py"),
        {"AZUREML_SOURCE_DIRECTORY": "lib"},
        {"score.py": "import helper\n" + ECHO, "lib/helper.py": ""},
    ),
    "a file beside the script": Start(
        ("--entry_script", "code/score.py"),
        {"AML_APP_ROOT": "elsewhere"},
        {"code/score.py": ECHO, "code/config.json": '{"SCORING_TIMEOUT_MS": 900}', "elsewhere/x": ""},
    ),
    "every flag": Start(
        (
            *("--entry_script", "score.py", "--model_dir", ".", "--worker_count", "2"),
            *("--access_control_allow_origins", "https://a.example", "--health_port", "5999"),
            *("--appinsights_instrumentation_key", "no key"),
        ),
        {},
        {"score.py": ECHO},
    ),
}


def laid(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_script_is_found_as_azmlinfsrv_finds_it(start: Start, tmp_path: Path) -> None:
    require_judge()
    folder = laid(tmp_path / "app", start.files)
    log = tmp_path / "judge.log"
    with (
        judging_with(folder, log, *start.arguments, **start.environment) as judge,
        serving(cwd=folder, python=PLAIN) as serve,
    ):
        ours = serve(*start.arguments, **start.environment).ready().url
        theirs, mine = compared(ask(judge, post([1, "é"])), ask(ours, post([1, "é"])))
    assert (mine, mine.body) == (theirs, json.dumps(json.dumps([1, "é"])).encode())


REFUSED = {
    "no init": "def run(data): pass",
    "no run": "def init(): pass",
    "no parameter": "def init(): pass\ndef run(): pass",
    "headers alone": "def init(): pass\ndef run(request_headers): pass",
    "args": "def init(): pass\ndef run(data, *args): pass",
    "kwargs": "def init(): pass\ndef run(data, **kwargs): pass",
    "positional only": "def init(): pass\ndef run(data, /): pass",
    "syntax": "def init(:",
    "import": "import nothing_like_it",
    "exit at import": "raise SystemExit(0)",
    "init raises": "def init(): raise OSError('secret of the log')\ndef run(data): pass",
    "init exits": "def init(): raise SystemExit(0)\ndef run(data): pass",
    "both decorators": """
        from azureml_inference_server_http.api.aml_request import rawhttp
        from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
        from inference_schema.schema_decorators import input_schema
        def init(): pass
        @rawhttp
        @input_schema("a", StandardPythonParameterType(1))
        def run(a): pass
        """,
}


@pytest.mark.parametrize("script", REFUSED.values(), ids=REFUSED)
def test_what_azmlinfsrv_refuses_to_start_is_refused_with_its_exit_code(script: str, tmp_path: Path) -> None:
    require_judge()
    folder = laid(tmp_path / "app", {"score.py": script})
    with serving(cwd=folder, python=PLAIN) as serve:
        server = serve("--entry_script", "score.py")
        assert judged_exit(folder, "--entry_script", "score.py") == 3
        assert server.process.wait(WAIT_SECONDS) == 3


@pytest.mark.parametrize(
    ("arguments", "judged", "code"),
    [
        (("--entry_script", "nowhere.py"), 3, 3),
        ((), 1, 2),
        (("--entry_script", "score.py", "--worker_count", "0"), 1, 2),
        (("--entry_script", "score.py", "--no_such_flag"), 1, 2),
        (("--entry_script", "score.py", "--config_file", "bad.json"), 3, 2),
        (("--entry_script", "score.py", "--access_control_allow_origins", "["), 3, 2),
    ],
)
def test_wrong_words_are_refused_by_both(arguments: tuple[str, ...], judged: int, code: int, tmp_path: Path) -> None:
    require_judge()
    folder = laid(tmp_path / "app", {"score.py": ECHO, "bad.json": "{"})
    with serving(cwd=folder, python=PLAIN) as serve:
        server = serve(*arguments)
        assert judged_exit(folder, *arguments) == judged
        assert server.process.wait(WAIT_SECONDS) == code


ORIGINS = (
    "https://a.example",
    "https://A.EXAMPLE",
    "https://b.example",
    "http://a.example",
    "https://a.example.org",
    "null",
    "",
)
PREFLIGHTS = (
    ("Access-Control-Request-Method", "POST"),
    ("Access-Control-Request-Method", "post"),
    ("Access-Control-Request-Method", "DELETE"),
)


@pytest.mark.parametrize(
    "allowed",
    [
        "*",
        "https://a.example",
        "https://a.example, https://b.example",
        r"https://.*\.example",
        "https://a.example,*",
    ],
)
def test_browsers_are_let_in_from_the_same_origins(allowed: str, tmp_path: Path) -> None:
    require_judge()
    folder = laid(tmp_path / "app", {"score.py": ECHO})
    words = ("--entry_script", "score.py", "--access_control_allow_origins", allowed)
    with judging_with(folder, tmp_path / "judge.log", *words) as judge, serving(cwd=folder, python=PLAIN) as serve:
        ours = serve(*words).ready().url
        asked = [Asked("GET", path) for path in ("/", "/score", "/swagger.json")]
        for origin in ORIGINS:
            asked.append(Asked(body=b"x", headers=(("Origin", origin),)))
            asked.append(Asked("GET", "/", headers=(("Origin", origin),)))
            asked.extend(
                Asked("OPTIONS", "/score", headers=(("Origin", origin), preflight, *more))
                for preflight in PREFLIGHTS
                for more in ((), (("Access-Control-Request-Headers", "content-type, Authorization"),))
            )
        different = []
        for one in asked:
            answers = [ask(url, one) for url in (judge, ours)]
            found = [
                [header for header in answer.headers if header[0].startswith("access-control") or header[0] == "vary"]
                for answer in answers
            ]
            if found[0] != found[1] or answers[0].status != answers[1].status:
                different.append(f"{one}\n  judge {found[0]}\n  ours  {found[1]}")
    assert not different, "\n".join(different)


def test_a_models_path_is_found_in_the_layout_of_the_container(tmp_path: Path) -> None:
    """azureml-core looks below AML_APP_ROOT for the latest version, as azmlinfsrv's images have it."""
    require_azure()
    folder = tmp_path / "var" / "azureml-app"
    laid_out(folder)
    for version in (2, 10):
        laid(folder / f"azureml-models/churn/{version}", {"model.txt": f"churn {version}"})
    with serving(cwd=tmp_path, python=AZURE) as serve:
        server = serve("--entry-script", str(folder / "model_path.py"), AML_APP_ROOT=str(folder)).ready()
        assert ask(server.url, post([1])).body == b'"churn 10"'


def test_a_models_path_is_found_in_a_bundles_image(breast_cancer: Example, tmp_path: Path) -> None:
    """What `scorewright build` copies into the image, with azureml-core asked where the model is."""
    require_azure()
    make_context(Bundle.load(breast_cancer.bundle), tag=None, base_image=None).write(tmp_path / "context")
    root = tmp_path / "context" / "app"
    program = "import sys; from azureml.core.model import Model; print(Model.get_model_path(sys.argv[1]))"
    name = Bundle.load(root).manifest.name
    found = subprocess.run(
        [str(AZURE), "-c", program, name],
        env={**os.environ, "AML_APP_ROOT": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(Bundle.load(root).model_dir / "model")


@pytest.mark.parametrize(
    ("layout", "model_dir", "expression"),
    [
        ("churn/3/model.pkl", "churn/3", "os.listdir(folder)"),
        ("churn/3/model/weights.bin", "churn/3", "sorted(os.listdir(os.path.join(folder, 'model')))"),
        ("b/1/m.bin", "", "sorted(os.listdir(folder))"),
    ],
    ids=["a file", "a folder", "several models"],
)
def test_the_layouts_of_a_model_folder(layout: str, model_dir: str, expression: str, tmp_path: Path) -> None:
    require_judge()
    found = f"def run(data):\n    folder = os.environ['AZUREML_MODEL_DIR']\n    return [folder, {expression}]\n"
    script = f"import os\ndef init(): pass\n{found}"
    folder = laid(tmp_path / "app", {"score.py": script, f"azureml-models/{layout}": "", "azureml-models/a/2/x": ""})
    words = ("--entry_script", "score.py", "--model_dir", str(folder / "azureml-models" / model_dir))
    with judging_with(folder, tmp_path / "log", *words) as judge, serving(cwd=folder, python=PLAIN) as serve:
        theirs, mine = ask(judge, post(1)), ask(serve(*words).ready().url, post(1))
    assert (mine.status, mine) == (200, theirs)


@pytest.mark.parametrize("told", ["true", "false", "no"])
def test_whether_the_servers_version_is_told(told: str, tmp_path: Path) -> None:
    require_judge()
    folder = laid(tmp_path / "app", {"score.py": ECHO})
    words, environment = ("--entry_script", "score.py"), {"SERVER_VERSION_LOG_RESPONSE_ENABLED": told}
    with (
        judging_with(folder, tmp_path / "log", *words, **environment) as judge,
        serving(cwd=folder, python=PLAIN) as serve,
    ):
        ours = serve(*words, **environment).ready().url
        found = ["x-ms-server-version" in httpx.post(f"{url}/score", content=b"x").headers for url in (judge, ours)]
    assert found[0] == found[1]


def test_a_logging_json_written_for_azmlinfsrv_gives_the_same_lines(tmp_path: Path) -> None:
    require_judge()
    formatter = {
        "class": "azureml_inference_server_http.log_config.AMLLogFormatter",
        "format": "OWN %(levelname)s %(message)s",
    }
    config = {
        "version": 1,
        "formatters": {"own": formatter},
        "handlers": {"own": {"class": "logging.StreamHandler", "formatter": "own", "stream": "ext://sys.stdout"}},
        "loggers": {
            "azmlinfsrv": {"level": "INFO", "handlers": ["own"], "propagate": False},
            "mine": {"level": "DEBUG", "handlers": ["own"]},
        },
    }
    script = """
        import logging
        LOG = logging.getLogger("mine")
        def init():
            print("printed in init")
            LOG.debug("logged in init")
        def run(data):
            print("printed in run")
            LOG.info("logged in run")
        """
    folder = laid(tmp_path / "app", {"score.py": script, "logging.json": json.dumps(config)})
    words = ("--entry_script", "score.py")
    with judging_with(folder, tmp_path / "log", *words) as judge, serving(cwd=folder, python=PLAIN) as serve:
        server = serve(*words).ready()
        for url in (judge, server.url):
            assert ask(url, post(1)).status == 200
        server.line("logged in run")
        logs = [(tmp_path / "log").read_text().splitlines(), server.log.splitlines()]
    for line in ("INFO printed in init", "DEBUG logged in init", "INFO printed in run", "INFO logged in run"):
        assert [log.count(f"OWN {line}") for log in logs] == [1, 1], line


def test_a_debugger_that_is_not_installed(tmp_path: Path) -> None:
    """azmlinfsrv ends too, with 255, after the same words."""
    require_judge()
    folder = laid(tmp_path / "app", {"score.py": ECHO})
    with serving(cwd=folder, python=PLAIN) as serve:
        server = serve("--entry-script", "score.py", AZUREML_DEBUG_PORT="5678")
        assert server.process.wait(WAIT_SECONDS) == 3
        server.line("AZUREML_DEBUG_PORT is set, and debugpy is not installed.")


def test_a_debugger_is_connected_before_the_script_is_loaded(tmp_path: Path) -> None:
    """A stand-in for debugpy that writes down what it is asked."""
    stand_in = "def connect(port):\n    print('connect', port)\ndef wait_for_client():\n    print('wait')\n"
    folder = laid(tmp_path / "app", {"score.py": "print('loaded')\n" + ECHO, "lib/debugpy.py": stand_in})
    with serving(cwd=folder, python=PLAIN) as serve:
        server = serve("--entry-script", "score.py", AZUREML_DEBUG_PORT="5678", PYTHONPATH=str(folder / "lib")).ready()
        told = [line.rpartition("] ")[2] for line in server.log.splitlines()]
        assert [line for line in told if line in {"connect 5678", "wait", "loaded"}] == [
            "connect 5678",
            "wait",
            "loaded",
        ]


def test_the_real_packages_are_left_alone(tmp_path: Path) -> None:
    """Azure's package on the path of an environment that has flask: scripts get its classes, and are served alike."""
    require_judge()
    require_azure()
    home = tmp_path / "installed"
    (packages,) = (AZURE.parents[2] / "judge").glob("lib/python*/site-packages")
    shutil.copytree(packages / "azureml_inference_server_http", home / "azureml_inference_server_http")
    script = """
        from azureml.contrib.services.aml_request import rawhttp
        from azureml.contrib.services.aml_response import AMLResponse
        def init(): pass
        @rawhttp
        def run(request):
            return AMLResponse([AMLResponse.__module__, rawhttp.__module__, request.args["a"]], 200, json_str=True)
        """
    folder = laid(tmp_path / "app", {"score.py": script})
    with serving(cwd=folder, python=AZURE) as serve:
        server = serve("--entry-script", "score.py", PYTHONPATH=str(home)).ready()
        answer = ask(server.url, Asked("GET", "/score?a=1"))
    package = "azureml_inference_server_http.api"
    assert json.loads(answer.body) == [f"{package}.aml_response", f"{package}.aml_request", "1"]


def test_a_second_port_answers_probes(tmp_path: Path) -> None:
    folder = laid(tmp_path / "app", {"score.py": ECHO})
    with serving(cwd=folder, python=PLAIN) as serve:
        server = serve("--entry-script", "score.py", "--health-port", "0", SEPERATE_HEALTH_ENDPOINT="true").ready()
        urls = [line.rpartition(" ")[2].rstrip(".") for line in server.log.splitlines() if " listens on " in line]
        assert len(set(urls)) == 2
        assert [ask(url, Asked("GET", "/")).body for url in urls] == [b"Healthy", b"Healthy"]
