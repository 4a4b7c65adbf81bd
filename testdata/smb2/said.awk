# Turns what a client wrote into a line for each of its connections: the protocol that it
# negotiated, and how many messages it encrypted and decrypted.
function say() { if (dialect) print "client", dialect, encrypted + 0, decrypted + 0 }
/^Connecting to / { say(); dialect = "-"; encrypted = decrypted = 0 }
/negotiated dialect\[/ { match($0, /dialect\[[A-Z0-9_]*\]/); dialect = substr($0, RSTART + 8, RLENGTH - 9) }
/smb2_signing_encrypt_pdu: Encrypted/ { encrypted++ }
/smb2_signing_decrypt_pdu: Decrypted/ { decrypted++ }
END { say() }
