# Turns smbd's log into a line a request: message id, command and status, and whether it was
# encrypted. Of SMB 1, which is not read behind its NEGOTIATE, it is the dialect.
function say() { if (line) print line; line = "" }
/smbd_smb2_request_dispatch: opcode\[/ {
  match($0, /opcode\[[A-Z0-9_]*\]/); op = substr($0, RSTART + 7, RLENGTH - 8)
  sub(/^SMB2_OP_/, "", op)
  match($0, /mid = [0-9]*/); ops[substr($0, RSTART + 6, RLENGTH - 6)] = op
}
/smbd_smb2_request_done_ex: mid \[/ {
  match($0, /mid \[[0-9]*\]/); mid = substr($0, RSTART + 5, RLENGTH - 6)
  match($0, /status\[[A-Za-z0-9_]*\]/); status = substr($0, RSTART + 7, RLENGTH - 8)
  say(); line = mid " " ops[mid] " " status
}
/smb2_signing_encrypt_pdu: Encrypted/ { line = line " encrypted" }
/Selected protocol NT / { say(); line = "selected " substr($0, index($0, "NT ")) }
END { say() }
