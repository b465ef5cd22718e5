"""The image objects under a URL: a bucket's in one stream of pages, another store's by folders."""

from collections.abc import Iterator
from typing import Any, Final

import fsspec

from data.adapters.files import ROWS, Links, Run, deeper, local_runs
from data.adapters.names import is_image
from data.adapters.stamps import stamp

PAGE: Final = 1000
"""Keys in an answer of a bucket: the most that S3 gives."""

_S3: Final = frozenset({"s3", "s3a"})


def files_under(root: str, extensions: frozenset[str], links: Links) -> Iterator[Run]:
    """The files under ROOT, a folder or a URL: `local_runs` or `remote_runs`."""
    if "://" in root:
        return remote_runs(root, extensions)
    return local_runs(root, extensions, links)


def remote_runs(root: str, extensions: frozenset[str]) -> Iterator[Run]:
    """The objects under the URL ROOT that end in one of EXTENSIONS, with size, time stamp and etag.

    Hidden ones (a part of the key starts with a dot) are passed over.

    Raises:
        FileNotFoundError: there is nothing at all under ROOT.
    """
    fs, path = fsspec.url_to_fs(root)
    if _S3 & set([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol):
        yield from _bucket_runs(fs, root, path, extensions)
    else:
        yield from deeper("", lambda folder: _contents(fs, root, path, folder, extensions))


def _bucket_runs(fs: Any, root: str, path: str, extensions: frozenset[str]) -> Iterator[Run]:
    """A bucket lists its keys in the order of their UTF-8 bytes, which is ours: nothing is held."""
    bucket, _, prefix = path.partition("/")
    prefix = f"{prefix}/" if prefix else ""
    run = Run("")
    found = False
    for item in _pages(fs, bucket, prefix):
        found = True
        key = item["Key"][len(prefix) :]
        folder, _, name = key.rpartition("/")
        if "/." in f"/{folder}" or not is_image(name, extensions):
            continue
        folder = f"{folder}/" if folder else ""
        if run.keys and (folder != run.folder or len(run.keys) == ROWS):
            yield run
            run = Run(folder)
        run.folder = folder
        run.add(key, f"{root}/{key}", *stamp(item | {"size": item["Size"]}))
    if not found:
        raise FileNotFoundError(f"Nothing lies under {root}: are bucket and prefix right?")
    if run.keys:
        yield run


def _pages(fs: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    more: dict[str, str] = {}
    while True:
        try:
            page = fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=PAGE, **more)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"No bucket {bucket}: is its name right?") from error
        yield from page.get("Contents", ())
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _contents(
    fs: Any, root: str, path: str, folder: str, extensions: frozenset[str]
) -> Iterator[Run | str]:
    fs.invalidate_cache(f"{path}/{folder}".rstrip("/"))
    infos = {}
    for info in fs.ls(f"{path}/{folder}".rstrip("/"), detail=True):
        name = str(info["name"]).rstrip("/").rpartition("/")[2]
        if info["type"] == "directory" and not name.startswith("."):
            infos[f"{name}/"] = info
        elif info["type"] == "file" and is_image(name, extensions):
            infos[name] = info
    run = Run(folder)
    for name in sorted(infos):
        if run.keys and (name.endswith("/") or len(run.keys) == ROWS):
            yield run
            run = Run(folder)
        if name.endswith("/"):
            yield folder + name
        else:
            key = folder + name
            run.add(key, f"{root}/{key}", *stamp(infos[name]))
    if run.keys:
        yield run
