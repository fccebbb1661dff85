"""Certificates made on the spot with the openssl command, good ones and the ones a client must refuse."""
import pathlib
import ssl
import subprocess

KINDS = ("good", "expired", "wronghost", "selfsigned", "unknownca", "tls10", "tls11")
OLD = {"tls10": ssl.TLSVersion.TLSv1, "tls11": ssl.TLSVersion.TLSv1_1}
EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(directory: pathlib.Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make(directory: pathlib.Path, kind: str) -> tuple[pathlib.Path, pathlib.Path]:
    """ca.pem and a server's cert.pem and key.pem, in a folder that is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    names = "DNS:elsewhere.example" if kind == "wronghost" else "DNS:localhost,IP:127.0.0.1"
    (directory / "ext.cnf").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
    authority(directory)
    if kind == "selfsigned":
        openssl(directory, "req", "-x509", *EC, "-keyout", "key.pem", "-out", "cert.pem", "-days", "30",
                "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}")
    else:
        openssl(directory, "req", *EC, "-keyout", "key.pem", "-out", "cert.csr", "-subj", "/CN=c1d test server")
        openssl(directory, "x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-extfile", "ext.cnf", "-days", "-1" if kind == "expired" else "30", "-out", "cert.pem")
    if kind == "unknownca":
        authority(directory)  # another one, of the same name, in the place of who has signed
    return directory / "cert.pem", directory / "key.pem"


def authority(directory: pathlib.Path) -> None:
    openssl(directory, "req", "-x509", *EC, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=c1d test CA", "-addext", "basicConstraints=critical,CA:TRUE")


def context(certificate: pathlib.Path, key: pathlib.Path, kind: str, alpn: list[str]) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if kind in OLD:
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = made.maximum_version = OLD[kind]
    made.load_cert_chain(certificate, key)
    made.set_alpn_protocols(alpn)
    return made
