package redis

import "bytes"

// commands are the names that Redis and Valkey answer to.
var commands = set(
	"ACL", "APPEND", "ASKING", "AUTH", "BGREWRITEAOF", "BGSAVE", "BITCOUNT", "BITFIELD",
	"BITFIELD_RO", "BITOP", "BITPOS", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH",
	"BZMPOP", "BZPOPMAX", "BZPOPMIN", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "COPY",
	"DBSIZE", "DEBUG", "DECR", "DECRBY", "DEL", "DISCARD", "DUMP", "ECHO", "EVAL", "EVALSHA",
	"EVALSHA_RO", "EVAL_RO", "EXEC", "EXISTS", "EXPIRE", "EXPIREAT", "EXPIRETIME", "FAILOVER",
	"FCALL", "FCALL_RO", "FLUSHALL", "FLUSHDB", "FUNCTION", "GEOADD", "GEODIST", "GEOHASH",
	"GEOPOS", "GEORADIUS", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO", "GEORADIUS_RO",
	"GEOSEARCH", "GEOSEARCHSTORE", "GET", "GETBIT", "GETDEL", "GETEX", "GETRANGE", "GETSET",
	"HDEL", "HELLO", "HEXISTS", "HEXPIRE", "HEXPIREAT", "HEXPIRETIME", "HGET", "HGETALL",
	"HGETDEL", "HGETEX", "HINCRBY", "HINCRBYFLOAT", "HKEYS", "HLEN", "HMGET", "HMSET",
	"HPERSIST", "HPEXPIRE", "HPEXPIREAT", "HPEXPIRETIME", "HPTTL", "HRANDFIELD", "HSCAN",
	"HSET", "HSETEX", "HSETNX", "HSTRLEN", "HTTL", "HVALS", "INCR", "INCRBY", "INCRBYFLOAT",
	"INFO", "KEYS", "LASTSAVE", "LATENCY", "LCS", "LINDEX", "LINSERT", "LLEN", "LMOVE",
	"LMPOP", "LOLWUT", "LPOP", "LPOS", "LPUSH", "LPUSHX", "LRANGE", "LREM", "LSET", "LTRIM",
	"MEMORY", "MGET", "MIGRATE", "MODULE", "MONITOR", "MOVE", "MSET", "MSETEX", "MSETNX",
	"MULTI", "OBJECT", "PERSIST", "PEXPIRE", "PEXPIREAT", "PEXPIRETIME", "PFADD", "PFCOUNT",
	"PFDEBUG", "PFMERGE", "PFSELFTEST", "PING", "PSETEX", "PSUBSCRIBE", "PSYNC", "PTTL",
	"PUBLISH", "PUBSUB", "PUNSUBSCRIBE", "QUIT", "RANDOMKEY", "READONLY", "READWRITE",
	"RENAME", "RENAMENX", "REPLCONF", "REPLICAOF", "RESET", "RESTORE", "ROLE", "RPOP",
	"RPOPLPUSH", "RPUSH", "RPUSHX", "SADD", "SAVE", "SCAN", "SCARD", "SCRIPT", "SDIFF",
	"SDIFFSTORE", "SELECT", "SENTINEL", "SET", "SETBIT", "SETEX", "SETNX", "SETRANGE",
	"SHUTDOWN", "SINTER", "SINTERCARD", "SINTERSTORE", "SISMEMBER", "SLAVEOF", "SLOWLOG",
	"SMEMBERS", "SMISMEMBER", "SMOVE", "SORT", "SORT_RO", "SPOP", "SPUBLISH", "SRANDMEMBER",
	"SREM", "SSCAN", "SSUBSCRIBE", "STRLEN", "SUBSCRIBE", "SUBSTR", "SUNION", "SUNIONSTORE",
	"SUNSUBSCRIBE", "SWAPDB", "SYNC", "TIME", "TOUCH", "TTL", "TYPE", "UNLINK", "UNSUBSCRIBE",
	"UNWATCH", "VADD", "VCARD", "VDIM", "VEMB", "VGETATTR", "VINFO", "VLINKS", "VRANDMEMBER",
	"VREM", "VSETATTR", "VSIM", "WAIT", "WAITAOF", "WATCH", "XACK", "XACKDEL", "XADD",
	"XAUTOCLAIM", "XCLAIM", "XDEL", "XDELEX", "XGROUP", "XINFO", "XLEN", "XPENDING", "XRANGE",
	"XREAD", "XREADGROUP", "XREVRANGE", "XSETID", "XTRIM", "ZADD", "ZCARD", "ZCOUNT", "ZDIFF",
	"ZDIFFSTORE", "ZINCRBY", "ZINTER", "ZINTERCARD", "ZINTERSTORE", "ZLEXCOUNT", "ZMPOP",
	"ZMSCORE", "ZPOPMAX", "ZPOPMIN", "ZRANDMEMBER", "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE",
	"ZRANGESTORE", "ZRANK", "ZREM", "ZREMRANGEBYLEX", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE",
	"ZREVRANGE", "ZREVRANGEBYLEX", "ZREVRANGEBYSCORE", "ZREVRANK", "ZSCAN", "ZSCORE", "ZUNION",
	"ZUNIONSTORE",
)

// keyless are those whose first argument is no key.
var keyless = set(
	"ACL", "ASKING", "AUTH", "BGREWRITEAOF", "BGSAVE", "CLIENT", "CLUSTER", "COMMAND", "CONFIG",
	"DBSIZE", "DEBUG", "DISCARD", "ECHO", "EXEC", "FAILOVER", "FLUSHALL", "FLUSHDB", "FUNCTION", "HELLO",
	"INFO", "KEYS", "LASTSAVE", "LATENCY", "LOLWUT", "MODULE", "MONITOR", "MULTI", "PFSELFTEST",
	"PING", "PSYNC", "PUBSUB", "QUIT", "RANDOMKEY", "READONLY", "READWRITE", "REPLCONF",
	"REPLICAOF", "RESET", "ROLE", "SAVE", "SCAN", "SCRIPT", "SELECT", "SENTINEL", "SHUTDOWN",
	"SLAVEOF", "SLOWLOG", "SWAPDB", "SYNC", "TIME", "UNWATCH", "WAIT", "WAITAOF",
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// verb is what the name of a command tells of it.
type verb struct {
	name    string
	where   int    // argument that is the key; 0 when there is none or it is not known yet
	counted int    // EVAL and others: the argument that counts the keys, which come behind it
	streams bool   // XREAD: the key is behind the word STREAMS
	script  bool   // it brings one: what it does is looked for in its text
	words   bool   // what it does depends on its first two arguments
	secrets bool   // some of its arguments are secrets
	task    uint64 // for the Notes of the request
}

// stranger is a command that is not known, alien one of a module: its first argument
// is nearly always the key.
var stranger, alien = &verb{}, &verb{where: 1}

// verbs are the commands in a hash table of their own: every command is looked up
// once, and the map of the language takes five times as long.
var verbs = func() (t [1024]*verb) {
	for name := range commands {
		h := verbHash(0)
		for i := range len(name) {
			h = h.add(name[i])
		}
		at := h.slot()
		for t[at] != nil {
			at = (at + 1) % len(t)
		}
		t[at] = newVerb(name)
	}
	return t
}()

// verbHash is the hash of a name in capitals so far.
type verbHash uint32

func (h verbHash) add(c byte) verbHash { return h*31 + verbHash(c) }
func (h verbHash) slot() int           { return int(h * 2654435769 >> 22) }

// findVerb returns what is known of a name in capitals.
func findVerb(name []byte, h verbHash) *verb {
	for at := h.slot(); verbs[at] != nil; at = (at + 1) % len(verbs) {
		if v := verbs[at]; v.name == string(name) {
			return v
		}
	}
	if module(name) {
		return alien
	}
	return stranger
}

func newVerb(name string) *verb {
	v := &verb{name: name, secrets: secretive[name]}
	switch name {
	case "XREAD", "XREADGROUP":
		v.streams = true
	case "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "BLMPOP", "BZMPOP":
		v.counted = 2
	case "ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "SINTERCARD", "LMPOP", "ZMPOP":
		v.counted = 1
	case "OBJECT", "XGROUP", "XINFO", "MEMORY", "BITOP":
		v.where = 2
	case "MIGRATE":
		v.where = 3
	default:
		if !keyless[name] {
			v.where = 1
		}
	}
	switch name {
	case "EVAL", "EVAL_RO", "SCRIPT", "FUNCTION":
		v.script = true
	case "CLIENT":
		v.words = true
	case "PING", "QUIT", "RESET":
		v.task = taskPing
	case "SYNC", "PSYNC":
		v.task = taskReplicate
	default:
		if sub, ok := subscription([]byte(name)); ok {
			v.task = sub.task()
		}
	}
	return v
}

// modules are the prefixes of the commands that well-known modules add.
var modules = [...]string{"FT", "JSON", "TS", "BF", "CF", "CMS", "TOPK", "TDIGEST", "GRAPH", "AI", "RG", "REDISGEARS_2", "TFUNCTION", "TFCALL"}

// module tells whether a name in capitals is a module's command.
func module(verb []byte) bool {
	prefix, rest, ok := bytes.Cut(verb, []byte("."))
	if !ok || len(rest) == 0 {
		return false
	}
	for _, m := range modules {
		if string(prefix) == m {
			return true
		}
	}
	return false
}
