# Turns what ssh -v says into a line a connection: both identification strings, and what
# was agreed on or what was not.
{ sub(/\r$/, "") }
/Local version string / { sub(/.*Local version string SSH-2.0-/, ""); client = $0 }
/Remote protocol version / { sub(/.*remote software version /, ""); server = $0 }
/debug1: kex: algorithm: / { kex = $NF }
/debug1: kex: host key algorithm: / { key = $NF }
/debug1: kex: server->client cipher: / { down = $5 " " $7 " " $9 }
/debug1: kex: client->server cipher: / { up = $5 " " $7 " " $9 }
/debug1: Server host key: / { print client " | " server " | " kex " " key " " up " " down " " $NF }
/^Unable to negotiate / { sub(/.*no matching /, ""); sub(/ found.*/, ""); print client " | " server " | no " $0 }
