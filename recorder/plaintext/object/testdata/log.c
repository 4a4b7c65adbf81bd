/* A library that logs secrets as OpenSSL does: one function gets all, with their labels. */
#include <stdlib.h>
#include <string.h>

struct session {
	char other[0x160];
	unsigned char random[32];
	void (*log)(const char *, const void *, size_t);
};

__attribute__((noinline)) int ssl_log_secret(struct session *s, const char *label, const void *secret, size_t n)
{
	if (!s->log)
		return 1;
	s->log(label, secret, n);
	return 0;
}

/* Labels go to other functions too, but not as the second argument. */
__attribute__((noinline)) size_t derive(const char *label, void *to)
{
	size_t n = strlen(label);

	memset(to, label[0], 32);
	return n;
}

int handshake(struct session *s, int server, unsigned char *secret)
{
	size_t n = derive(server ? "SERVER_HANDSHAKE_TRAFFIC_SECRET" : "CLIENT_HANDSHAKE_TRAFFIC_SECRET", secret);

	if (server)
		return ssl_log_secret(s, "SERVER_HANDSHAKE_TRAFFIC_SECRET", secret, n);
	return ssl_log_secret(s, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", secret, n);
}

int traffic(struct session *s, unsigned char *secret)
{
	if (!ssl_log_secret(s, "EXPORTER_SECRET", secret + 64, 32) || !ssl_log_secret(s, "SERVER_TRAFFIC_SECRET_0", secret, 32))
		return 0;
	return ssl_log_secret(s, "CLIENT_TRAFFIC_SECRET_0", secret + 32, 32);
}

int master(struct session *s, unsigned char *secret)
{
	return ssl_log_secret(s, "CLIENT_RANDOM", secret, 48);
}

#define PUBLIC __attribute__((visibility("default")))

PUBLIC size_t SSL_get_client_random(const struct session *s, unsigned char *out, size_t n)
{
	if (n == 0)
		return sizeof(s->random);
	if (n > sizeof(s->random))
		n = sizeof(s->random);
	memcpy(out, s->random, n);
	return n;
}

PUBLIC void SSL_CTX_new(void) {}

int main(int argc, char **argv)
{
	struct session s = {0};
	unsigned char secret[128] = {0};

	return handshake(&s, argc > 1, secret) + traffic(&s, secret) + master(&s, secret) + (int)SSL_get_client_random(&s, secret, argc);
}
