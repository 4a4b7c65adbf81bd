"""Connects to the servers of record.sh with openssl s_client: client.py SCENARIO FOLDER. It
writes what the client was told, a line a handshake, with tabs: name asked for, version,
cipher suite, group, application protocol, whether the session was resumed, whether the server
asked for a certificate, number of certificates, digest of the first, and alert of the
server; - for what was not told. A wish for another hello has a line of its own."""
import re
import subprocess
import sys
import threading

PLAIN, MODERN, MUTUAL, CURVE, REJECTED, OLD, LARGE = range(8441, 8448)
folder = sys.argv[2]
lock = threading.Lock()
GROUPS = {'X25519': 'x25519', 'ECDH, prime256v1': 'secp256r1', 'ECDH, secp384r1': 'secp384r1', 'ECDH, secp521r1': 'secp521r1', 'X448': 'x448'}
ALERTS = {0: 'close_notify', 40: 'handshake_failure', 42: 'bad_certificate', 47: 'illegal_parameter', 48: 'unknown_ca', 70: 'protocol_version', 80: 'internal_error', 112: 'unrecognized_name', 116: 'certificate_required', 120: 'no_application_protocol'}
suites = dict(re.findall(r'(?m)^(TLS_\S+) +- (\S+)', subprocess.run(['openssl', 'ciphers', '-stdname', 'ALL:@SECLEVEL=0'], capture_output=True, text=True).stdout))
suites = {ours: iana for iana, ours in suites.items()}


def first(pattern, text):
    found = re.search(pattern, text, re.M)
    return found[1] if found else '-'


def connect(port, name, *args):
    run = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % port, '-servername', name, '-msg', '-showcerts', '-ign_eof', '-CAfile', folder + '/ca.pem', *args],
                         input='GET / HTTP/1.0\r\n\r\n', capture_output=True, text=True, errors='replace')
    text = run.stdout + run.stderr
    hellos = len(re.findall(r'(?m)^<<< .*, ServerHello$', text))
    certificates = re.findall(r'(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n', run.stdout)
    digest = '-'
    resumed = 'Reused, ' in text
    if certificates and not resumed:
        out = subprocess.run(['openssl', 'x509', '-noout', '-fingerprint', '-sha256'], input=certificates[0], capture_output=True, text=True).stdout
        digest = out.strip().split('=')[1].replace(':', '').lower()
    suite = first(r'Cipher is (\S+)', text)
    alert = first(r'SSL alert number (\d+)', text)
    version = first(r'(?:New|Reused), (\S+), Cipher', text)
    if version not in ('-', 'TLSv1.3'):
        version = first(r'^    Protocol *: (\S+)', text)
    version = {'TLSv1': 'TLS 1.0', 'TLSv1.1': 'TLS 1.1', 'TLSv1.2': 'TLS 1.2', 'TLSv1.3': 'TLS 1.3'}[version] if hellos else '-'
    with lock:
        if hellos > 1:
            print(name, 'another hello', sep='\t')
        print(name, version, suites.get(suite, suite) if hellos else '-', GROUPS.get(first(r'Server Temp Key: (.*), \d+ bits', text), '-'), first(r'^ALPN protocol: (\S+)', text),
              'resumed' if resumed else '-', 'asked' if re.search(r'(?m)^<<< .*, CertificateRequest$', text) else '-', len(certificates) if digest != '-' else '-', digest,
              ALERTS[int(alert)] if alert != '-' else '-', sep='\t', flush=True)


def older():
    connect(PLAIN, 'shop.example', '-alpn', 'http/1.1')
    connect(PLAIN, 'shop.example', '-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256')
    connect(PLAIN, 'other.example', '-tls1_2', '-cipher', 'DHE-RSA-AES256-GCM-SHA384')
    connect(PLAIN, 'shop.example', '-tls1_2', '-cipher', 'AES128-SHA256')
    connect(PLAIN, 'shop.example', '-tls1_2', '-curves', 'P-384')
    connect(PLAIN, 'shop.example', '-sess_out', folder + '/older')
    connect(PLAIN, 'shop.example', '-sess_in', folder + '/older')
    connect(OLD, 'shop.example', '-tls1', '-cipher', 'ALL:@SECLEVEL=0')
    connect(OLD, 'shop.example', '-tls1_1', '-cipher', 'AES128-SHA:@SECLEVEL=0')


def newer():
    connect(MODERN, 'shop.example', '-alpn', 'h2,http/1.1')
    connect(MODERN, 'shop.example', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256')
    connect(MODERN, 'shop.example', '-curves', 'X448:P-256')
    connect(MODERN, 'shop.example', '-sess_out', folder + '/newer')
    connect(MODERN, 'shop.example', '-sess_in', folder + '/newer')
    connect(CURVE, 'shop.example')


def certificates():
    own = ['-cert', folder + '/client.pem', '-key', folder + '/client.key']
    for version in '-tls1_2', '-tls1_3':
        connect(MUTUAL, 'shop.example', version, *own)
        connect(MUTUAL, 'shop.example', version)


def refused():
    connect(PLAIN, 'shop.example', '-tls1_3')
    connect(MODERN, 'shop.example', '-tls1_2')
    connect(PLAIN, 'shop.example', '-tls1_2', '-cipher', 'CAMELLIA256-SHA')
    connect(MODERN, 'shop.example', '-ciphersuites', 'TLS_AES_128_CCM_SHA256')
    connect(MODERN, 'shop.example', '-curves', 'P-521')
    connect(REJECTED, 'stranger.example')
    connect(REJECTED, 'stranger.example', '-tls1_2')
    connect(MODERN, 'shop.example', '-alpn', 'other')


def large():
    connect(LARGE, 'large.example', '-tls1_2')
    connect(LARGE, 'large.example', '-tls1_3')


def concurrent():
    threads = [threading.Thread(target=connect, args=((PLAIN, MODERN)[i % 2], 'n%d.shop.example' % i)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


globals()[sys.argv[1]]()
