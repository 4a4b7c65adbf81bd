/* Carries Diameter between TCP and SCTP, message by message, with a real SCTP stack
 * in user space: for machines whose kernel has none.
 *
 *   sctprelay connect TCPPORT HOST SCTPPORT    TCP on 127.0.0.1 in, SCTP out
 *   sctprelay listen TCPPORT HOST SCTPPORT     SCTP in, TCP to 127.0.0.1 out
 *
 * Needs libusrsctp; serves one connection. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <usrsctp.h>

enum { PPID = 46, STREAMS = 4, LARGEST = 1 << 20 };

static struct socket *sctp;
static int tcp;

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static struct sockaddr_in address(const char *host, int port) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

static int readAll(unsigned char *b, size_t n) {
	while (n > 0) {
		ssize_t k = read(tcp, b, n);
		if (k <= 0) return 0;
		b += k;
		n -= k;
	}
	return 1;
}

/* Messages from TCP to SCTP, on one stream after the other. */
static void *out(void *arg) {
	unsigned char *b = malloc(LARGEST);
	for (unsigned i = 0; readAll(b, 4); i++) {
		size_t n = b[1] << 16 | b[2] << 8 | b[3];
		if (n < 20 || n > LARGEST || !readAll(b + 4, n - 4)) break;
		struct sctp_sndinfo info = {.snd_sid = i % STREAMS, .snd_ppid = htonl(PPID)};
		if (usrsctp_sendv(sctp, b, n, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) < 0) fail("send");
	}
	usrsctp_shutdown(sctp, SHUT_WR);
	return arg;
}

/* Messages from SCTP to TCP. */
static void in(void) {
	unsigned char *b = malloc(LARGEST);
	for (;;) {
		struct sctp_rcvinfo info;
		socklen_t from = 0, length = sizeof info;
		unsigned type;
		int flags = 0;
		ssize_t n = usrsctp_recvv(sctp, b, LARGEST, NULL, &from, &info, &length, &type, &flags);
		if (n <= 0) break;
		if (write(tcp, b, n) != n) break;
	}
	shutdown(tcp, SHUT_WR);
}

int main(int argc, char **argv) {
	if (argc != 5) return 2;
	int connecting = !strcmp(argv[1], "connect");
	struct sockaddr_in local = address("127.0.0.1", atoi(argv[2])), remote = address(argv[3], atoi(argv[4]));
	usrsctp_init(0, NULL, NULL);
	struct socket *s = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	if (!s) fail("sctp socket");
	struct sctp_initmsg init = {.sinit_num_ostreams = STREAMS, .sinit_max_instreams = STREAMS};
	usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init);
	int one = 1;
	usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof one);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	if (connecting) {
		int l = tcp;
		setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (bind(l, (struct sockaddr *)&local, sizeof local) || listen(l, 1)) fail("listen");
		if ((tcp = accept(l, NULL, NULL)) < 0) fail("accept");
		if (usrsctp_connect(s, (struct sockaddr *)&remote, sizeof remote)) fail("sctp connect");
		sctp = s;
	} else {
		if (usrsctp_bind(s, (struct sockaddr *)&remote, sizeof remote) || usrsctp_listen(s, 1)) fail("sctp listen");
		if (!(sctp = usrsctp_accept(s, NULL, NULL))) fail("sctp accept");
		if (connect(tcp, (struct sockaddr *)&local, sizeof local)) fail("connect");
	}
	pthread_t sender;
	pthread_create(&sender, NULL, out, NULL);
	in();
	pthread_join(sender, NULL);
	usrsctp_close(sctp);
	sleep(1);
	return 0;
}
