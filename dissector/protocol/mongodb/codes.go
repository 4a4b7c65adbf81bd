package mongodb

const codeCursorNotFound = 43

// errorNames are the server's names of its error numbers (error_codes.yml), for those
// replies that have only the number: write errors, and old servers. It has those that
// clients meet; 11001 is DuplicateKey of old servers.
var errorNames = map[int64]string{
	1: "InternalError", 2: "BadValue", 4: "NoSuchKey", 6: "HostUnreachable", 7: "HostNotFound", 8: "UnknownError",
	9: "FailedToParse", 11: "UserNotFound", 12: "UnsupportedFormat", 13: "Unauthorized", 14: "TypeMismatch",
	15: "Overflow", 16: "InvalidLength", 17: "ProtocolError", 18: "AuthenticationFailed", 20: "IllegalOperation",
	22: "InvalidBSON", 24: "LockTimeout", 26: "NamespaceNotFound", 27: "IndexNotFound", 28: "PathNotViable",
	31: "RoleNotFound", 40: "ConflictingUpdateOperators", 43: "CursorNotFound", 46: "LockBusy", 48: "NamespaceExists",
	50: "MaxTimeMSExpired", 52: "DollarPrefixedFieldName", 53: "InvalidIdField", 54: "NotSingleValueField",
	55: "InvalidDBRef", 56: "EmptyFieldName", 57: "DottedFieldName", 59: "CommandNotFound", 61: "ShardKeyNotFound",
	64: "WriteConcernTimeout", 65: "MultipleErrorsOccurred", 66: "ImmutableField", 67: "CannotCreateIndex",
	68: "IndexAlreadyExists", 71: "ReplicaSetNotFound", 72: "InvalidOptions", 73: "InvalidNamespace",
	76: "NoReplicationEnabled", 79: "UnknownReplWriteConcern", 85: "IndexOptionsConflict", 86: "IndexKeySpecsConflict",
	89: "NetworkTimeout", 91: "ShutdownInProgress", 93: "InvalidReplicaSetConfig", 94: "NotYetInitialized",
	95: "NotSecondary", 96: "OperationFailed", 100: "UnsatisfiableWriteConcern", 112: "WriteConflict",
	115: "CommandNotSupported", 117: "ConflictingOperationInProgress", 118: "NamespaceNotSharded",
	121: "DocumentValidationFailure", 123: "NotAReplicaSet", 125: "CommandFailed", 133: "FailedToSatisfyReadPreference",
	134: "ReadConcernMajorityNotAvailableYet", 136: "CappedPositionLost", 143: "CursorInUse", 146: "ExceededMemoryLimit",
	150: "StaleEpoch", 166: "CommandNotSupportedOnView", 167: "OptionNotSupportedOnView", 168: "InvalidPipelineOperator",
	171: "CannotIndexParallelArrays", 175: "QueryPlanKilled", 189: "PrimarySteppedDown",
	197: "InvalidIndexSpecificationOption", 202: "NetworkInterfaceExceededTimeLimit", 206: "NoSuchSession",
	211: "KeyNotFound", 217: "IncompleteTransactionHistory", 225: "TransactionTooOld", 226: "AtomicityFailure",
	234: "RetryChangeStream", 237: "CursorKilled", 238: "NotImplemented", 239: "SnapshotTooOld", 241: "ConversionFailure",
	246: "SnapshotUnavailable", 249: "StaleDbVersion", 251: "NoSuchTransaction", 256: "TransactionCommitted",
	257: "TransactionTooLarge", 260: "InvalidResumeToken", 261: "TooManyLogicalSessions", 262: "ExceededTimeLimit",
	263: "OperationNotSupportedInTransaction", 280: "ChangeStreamFatalError", 286: "ChangeStreamHistoryLost",
	290: "TransactionExceededLifetimeLimitSeconds", 292: "QueryExceededMemoryLimitNoDiskUseAllowed",
	322: "APIVersionError", 323: "APIStrictError", 324: "APIDeprecationError", 334: "MechanismUnavailable",
	352: "UnsupportedOpQueryCommand", 391: "ReauthenticationRequired", 9001: "SocketException",
	10003: "CannotGrowDocumentInCappedNamespace", 10058: "LegacyNotPrimary", 10107: "NotWritablePrimary",
	10334: "BSONObjectTooLarge", 11000: "DuplicateKey", 11001: "DuplicateKey", 11600: "InterruptedAtShutdown",
	11601: "Interrupted", 11602: "InterruptedDueToReplStateChange", 13113: "MergeStageNoMatchingDocument",
	13297: "DatabaseDifferCase", 13388: "StaleConfig", 13435: "NotPrimaryNoSecondaryOk", 13436: "NotPrimaryOrSecondary",
	14031: "OutOfDiskSpace", 40413: "IDLDuplicateField", 40414: "IDLFailedToParse", 40415: "IDLUnknownField",
	50768: "NotARetryableWriteCommand",
}
