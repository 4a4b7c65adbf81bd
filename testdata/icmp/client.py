"""Runs pings, several at once: client.py SCENARIO. It writes what they told: "reply" or "none"
with destination, number and bytes of each echo, and "error" with its sender and what it says
of each message that came instead, in the words of the registry of ICMP's parameters."""
import re
import subprocess
import sys

ERRORS = {
    'Time to live exceeded': 'TTL Exceeded',
    'Destination Net Unreachable': 'Network Unreachable',
    'Destination Host Unreachable': 'Host Unreachable',
    'Packet filtered': 'Communication Prohibited',
    'Redirect Host': 'Redirect for Host',
    'Time exceeded: Hop limit': 'Hop Limit Exceeded',
    'Destination unreachable: No route': 'No Route',
    'Destination unreachable: Address unreachable': 'Address Unreachable',
    'Destination unreachable: Administratively prohibited': 'Communication Prohibited',
}


def run(*pings):
    """Runs pings at the same time: destination, how many, bytes of data, and options of each."""
    running = [subprocess.Popen(['ping', '-n', '-W', '1', '-c', str(count), '-s', str(size), *args, to], stdout=subprocess.PIPE, text=True) for to, count, size, *args in pings]
    for process, (to, count, size, *_) in zip(running, pings):
        out = process.communicate()[0]
        got = {int(n): int(b) for b, n in re.findall(r'(?m)^(\d+) bytes from .*?icmp_seq=(\d+) ', out)}
        for n in range(1, count + 1):
            print('reply' if n in got else 'none', to, n, got.get(n, size + 8), flush=True)
        for sender, text in re.findall(r'(?m)^From (\S+?):? icmp_seq=\d+ (.*)', out):
            mtu = re.search(r'mtu ?= ?(\d+)', text)
            if mtu:
                what = ('Packet Too Big ' if ':' in sender else 'Fragmentation Needed ') + mtu[1]
            else:
                what = ERRORS[re.sub(r'\(.*', '', text).strip()]
            print('error', sender, what, flush=True)


def local():
    run(('127.0.0.1', 3, 56, '-i', '0.05'))
    run(('::1', 3, 56, '-i', '0.05'))
    run(('127.0.0.1', 1, 0), ('127.0.0.7', 1, 8))
    run(('::1', 1, 0))
    run(('127.0.0.1', 1, 4000))
    run(('127.0.0.1', 2, 16, '-p', 'c0ffee', '-i', '0.05'))


def routed():
    run(('10.0.2.2', 4, 56, '-i', '0.05'))
    run(('fd00:2::2', 4, 56, '-i', '0.05'))
    run(('10.0.2.2', 2, 100, '-R', '-i', '0.05'))
    run(('10.0.2.2', 2, 4000, '-i', '0.05'))
    run(('fd00:2::2', 2, 1400, '-i', '0.05'))
    run(('10.0.2.2', 2, 56, '-T', 'tsandaddr', '-i', '0.05'))


def failures():
    run(('10.0.2.2', 2, 56, '-t', '1', '-i', '0.05'))
    run(('fd00:2::2', 2, 56, '-t', '1', '-i', '0.05'))
    run(('10.0.2.2', 1, 1400, '-M', 'do'))
    for net in '3', '4', '5':
        run(('10.0.%s.1' % net, 2, 56, '-i', '1.2'))
        run(('fd00:%s::1' % net, 1, 56))
    run(('10.0.6.1', 2, 32, '-i', '0.05'))
    run(('10.0.2.2', 1, 56))


def concurrent():
    run(*[(to, 6, 10 * i, '-i', '0.01') for i, to in enumerate(['10.0.2.2', 'fd00:2::2', '10.0.1.1', '10.0.2.2', '10.0.2.2', 'fd00:1::1'], 2)])


globals()[sys.argv[1]]()
