"""The house the integration tests live in: real nginx, real c1d, a real store and the scripted C1 API, one set a test
module and store, on free ports, in a folder of its own. No test waits by sleeping: helpers here await events."""
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import pages  # noqa: E402
from house import Site, StoreProxy, Upstream  # noqa: E402
from servers import SERVERS, STORES, Missing  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def scratch():
    folder = Path(tempfile.mkdtemp(prefix="c1d-it-"))
    folder.chmod(0o755)  # nginx workers may be another user
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def upstream(scratch):
    """The scripted C1 API over plain HTTP, shared by all tests of this process."""
    server = Upstream(scratch / "upstream")
    yield server
    server.stop()


def started(kind, folder):
    """A server, or the test is skipped with the reason why there is none."""
    try:
        return SERVERS[kind](folder)
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def server_of(scratch):
    """The server of a kind, shared by all tests of this process; those that stop one have own_server."""
    servers = {}

    def get(kind):
        if kind not in servers:
            servers[kind] = started(kind, scratch / kind)
        return servers[kind]

    yield get
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="session")
def mongod(server_of):
    return server_of("mongodb")


@pytest.fixture
def own_server(scratch):
    """Makes a server of a kind that the test may stop."""
    servers = []

    def make(kind):
        if not SERVERS[kind].stops:
            pytest.skip(f"the {kind} server is not ours to stop")
        servers.append(started(kind, scratch / f"{kind}-{uuid.uuid4().hex[:8]}"))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def proxy(scratch, mongod):
    """A proxy before the shared server, one a module."""
    between = StoreProxy(scratch / "proxies", mongod.wire)
    yield between
    between.stop()


@pytest.fixture(params=["sqlite", "mongodb"], scope="module")
def store_kind(request):
    return request.param


def place_of(request):
    """A name for a place in a store: its module's, in what every store takes."""
    return request.module.__name__.replace("test_", "").replace("_", "-")[:40]


@pytest.fixture(scope="module")
def store_uri(request, store_kind, server_of):
    return server_of(store_kind).uri(place_of(request))


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    """nginx + c1d on each store in turn, with the shipped nginx files and two workers."""
    house = Site(scratch, upstream, {"C1D_STORE": store_uri})
    yield house
    house.stop()


@pytest.fixture(params=sorted(set(STORES) - {"mongodb-java"}), scope="module")
def any_store_kind(request):
    """Every store; most modules do with the two of store_kind, for the time that all would take."""
    return request.param


@pytest.fixture(scope="module")
def any_site(request, scratch, upstream, any_store_kind, server_of):
    """As site, on every store."""
    house = Site(scratch, upstream, server_of(any_store_kind).settings(place_of(request)))
    yield house
    house.stop()


@pytest.fixture
def new_site(scratch, upstream):
    """A factory for tests that need settings of their own or that hurt what they use. SQLite unless told."""
    houses = []

    def make(settings=None, **kwargs):
        houses.append(Site(scratch, kwargs.pop("upstream", upstream), settings or {}, **kwargs))
        return houses[-1]

    yield make
    for house in houses:
        house.stop()


@pytest.fixture(scope="session")
def tools():
    """What bundles and visits the README's page is installed."""
    pages.have_tools()


@pytest.fixture(scope="session")
def bundle(tools):
    """The folder of the README's page, built."""
    return pages.built()


@pytest.fixture(scope="session")
def our_page(tools):
    """The folder of our own page, built."""
    return pages.ours()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call):
    """A process whose memory is closed shows its descriptors to root alone. Who is not root does without those tests."""
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, PermissionError) and str(error.filename).startswith("/proc/") and os.geteuid() != 0:
        try:
            pytest.skip(f"only root may look into {error.filename}")
        except pytest.skip.Exception:
            call.excinfo = pytest.ExceptionInfo.from_current()
