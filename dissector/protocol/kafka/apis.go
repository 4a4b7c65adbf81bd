package kafka

// api is one kind of request.
type api struct {
	name     string
	max      int16 // newest version known
	flexFrom int16 // first version with tagged fields
	throttle int16 // first version whose response begins with a throttle time; -1: none
	plain    bool  // then the response has its error code
	request  func(r *body)
	response func(r *body)
}

// unknown is an API that is newer than all of these.
var unknown = api{max: -1, flexFrom: never, throttle: -1}

// apiOf returns the API of a key.
func apiOf(key int) *api {
	if key < len(apis) {
		return &apis[key]
	}
	return &unknown
}

func (a *api) flexible(version int) bool { return version >= int(a.flexFrom) }

// apis are the APIs by key, all that a released client can send in autumn 2026.
var apis = [...]api{
	0:  {name: "PRODUCE", max: 13, flexFrom: 9, throttle: -1, request: produceRequest, response: produceResponse},
	1:  {name: "FETCH", max: 18, flexFrom: 12, throttle: 1, request: fetchRequest, response: fetchResponse},
	2:  {name: "LIST_OFFSETS", max: 11, flexFrom: 6, throttle: 2, request: listOffsetsRequest, response: listOffsetsResponse},
	3:  {name: "METADATA", max: 13, flexFrom: 9, throttle: 3, request: metadataRequest, response: metadataResponse},
	4:  {name: "LEADER_AND_ISR", max: 7, flexFrom: 4, throttle: -1, plain: true},
	5:  {name: "STOP_REPLICA", max: 4, flexFrom: 2, throttle: -1, plain: true},
	6:  {name: "UPDATE_METADATA", max: 8, flexFrom: 6, throttle: -1, plain: true},
	7:  {name: "CONTROLLED_SHUTDOWN", max: 3, flexFrom: 3, throttle: -1, plain: true},
	8:  {name: "OFFSET_COMMIT", max: 10, flexFrom: 8, throttle: 3, request: offsetCommitRequest, response: offsetCommitResponse},
	9:  {name: "OFFSET_FETCH", max: 10, flexFrom: 6, throttle: 3, request: offsetFetchRequest, response: offsetFetchResponse},
	10: {name: "FIND_COORDINATOR", max: 6, flexFrom: 3, throttle: 1, request: findCoordinatorRequest, response: findCoordinatorResponse},
	11: {name: "JOIN_GROUP", max: 9, flexFrom: 6, throttle: 2, plain: true, request: groupRequest},
	12: {name: "HEARTBEAT", max: 4, flexFrom: 4, throttle: 1, plain: true, request: groupRequest},
	13: {name: "LEAVE_GROUP", max: 5, flexFrom: 4, throttle: 1, plain: true, request: groupRequest},
	14: {name: "SYNC_GROUP", max: 5, flexFrom: 4, throttle: 1, plain: true, request: groupRequest},
	15: {name: "DESCRIBE_GROUPS", max: 6, flexFrom: 5, throttle: 1, request: groupsRequest, response: describeGroupsResponse},
	16: {name: "LIST_GROUPS", max: 5, flexFrom: 3, throttle: 1, plain: true},
	17: {name: "SASL_HANDSHAKE", max: 1, flexFrom: never, throttle: -1, plain: true},
	18: {name: "API_VERSIONS", max: 5, flexFrom: 3, throttle: -1, plain: true},
	19: {name: "CREATE_TOPICS", max: 7, flexFrom: 5, throttle: 2, request: createTopicsRequest, response: createTopicsResponse},
	20: {name: "DELETE_TOPICS", max: 6, flexFrom: 4, throttle: 1, request: deleteTopicsRequest, response: deleteTopicsResponse},
	21: {name: "DELETE_RECORDS", max: 2, flexFrom: 2, throttle: 0, request: deleteRecordsRequest, response: deleteRecordsResponse},
	22: {name: "INIT_PRODUCER_ID", max: 6, flexFrom: 2, throttle: 0, plain: true},
	23: {name: "OFFSET_FOR_LEADER_EPOCH", max: 4, flexFrom: 4, throttle: 2, request: leaderEpochRequest, response: leaderEpochResponse},
	24: {name: "ADD_PARTITIONS_TO_TXN", max: 5, flexFrom: 3, throttle: 0, request: addPartitionsRequest, response: addPartitionsResponse},
	25: {name: "ADD_OFFSETS_TO_TXN", max: 4, flexFrom: 3, throttle: 0, plain: true, request: addOffsetsRequest},
	26: {name: "END_TXN", max: 5, flexFrom: 3, throttle: 0, plain: true},
	27: {name: "WRITE_TXN_MARKERS", max: 2, flexFrom: 1, throttle: -1},
	28: {name: "TXN_OFFSET_COMMIT", max: 6, flexFrom: 3, throttle: 0, request: txnOffsetCommitRequest, response: txnOffsetCommitResponse},
	29: {name: "DESCRIBE_ACLS", max: 3, flexFrom: 2, throttle: 0, plain: true},
	30: {name: "CREATE_ACLS", max: 3, flexFrom: 2, throttle: 0, response: createACLsResponse},
	31: {name: "DELETE_ACLS", max: 3, flexFrom: 2, throttle: 0, response: deleteACLsResponse},
	32: {name: "DESCRIBE_CONFIGS", max: 4, flexFrom: 4, throttle: 0, response: describeConfigsResponse},
	33: {name: "ALTER_CONFIGS", max: 2, flexFrom: 2, throttle: 0, response: alterConfigsResponse},
	34: {name: "ALTER_REPLICA_LOG_DIRS", max: 2, flexFrom: 2, throttle: 0},
	35: {name: "DESCRIBE_LOG_DIRS", max: 5, flexFrom: 2, throttle: 0},
	36: {name: "SASL_AUTHENTICATE", max: 2, flexFrom: 2, throttle: -1, plain: true},
	37: {name: "CREATE_PARTITIONS", max: 3, flexFrom: 2, throttle: 0, request: createPartitionsRequest, response: createPartitionsResponse},
	38: {name: "CREATE_DELEGATION_TOKEN", max: 3, flexFrom: 2, throttle: -1, plain: true},
	39: {name: "RENEW_DELEGATION_TOKEN", max: 2, flexFrom: 2, throttle: -1, plain: true},
	40: {name: "EXPIRE_DELEGATION_TOKEN", max: 2, flexFrom: 2, throttle: -1, plain: true},
	41: {name: "DESCRIBE_DELEGATION_TOKEN", max: 3, flexFrom: 2, throttle: -1, plain: true},
	42: {name: "DELETE_GROUPS", max: 3, flexFrom: 2, throttle: 0, request: groupsRequest, response: perGroup},
	43: {name: "ELECT_LEADERS", max: 2, flexFrom: 2, throttle: 0},
	44: {name: "INCREMENTAL_ALTER_CONFIGS", max: 1, flexFrom: 1, throttle: 0, response: alterConfigsResponse},
	45: {name: "ALTER_PARTITION_REASSIGNMENTS", max: 1, flexFrom: 0, throttle: 0},
	46: {name: "LIST_PARTITION_REASSIGNMENTS", max: 0, flexFrom: 0, throttle: 0, plain: true},
	47: {name: "OFFSET_DELETE", max: 0, flexFrom: never, throttle: -1, plain: true, request: offsetDeleteRequest},
	48: {name: "DESCRIBE_CLIENT_QUOTAS", max: 1, flexFrom: 1, throttle: 0, plain: true},
	49: {name: "ALTER_CLIENT_QUOTAS", max: 1, flexFrom: 1, throttle: 0, response: alterQuotasResponse},
	50: {name: "DESCRIBE_USER_SCRAM_CREDENTIALS", max: 0, flexFrom: 0, throttle: 0, plain: true},
	51: {name: "ALTER_USER_SCRAM_CREDENTIALS", max: 0, flexFrom: 0, throttle: 0},
	52: {name: "VOTE", max: 2, flexFrom: 0, throttle: -1, plain: true},
	53: {name: "BEGIN_QUORUM_EPOCH", max: 1, flexFrom: 1, throttle: -1, plain: true},
	54: {name: "END_QUORUM_EPOCH", max: 1, flexFrom: 1, throttle: -1, plain: true},
	55: {name: "DESCRIBE_QUORUM", max: 2, flexFrom: 0, throttle: -1, plain: true},
	56: {name: "ALTER_PARTITION", max: 3, flexFrom: 0, throttle: 0, plain: true},
	57: {name: "UPDATE_FEATURES", max: 2, flexFrom: 0, throttle: 0, plain: true},
	58: {name: "ENVELOPE", max: 0, flexFrom: 0, throttle: -1},
	59: {name: "FETCH_SNAPSHOT", max: 1, flexFrom: 0, throttle: 0, plain: true},
	60: {name: "DESCRIBE_CLUSTER", max: 2, flexFrom: 0, throttle: 0, plain: true},
	61: {name: "DESCRIBE_PRODUCERS", max: 0, flexFrom: 0, throttle: 0},
	62: {name: "BROKER_REGISTRATION", max: 4, flexFrom: 0, throttle: 0, plain: true},
	63: {name: "BROKER_HEARTBEAT", max: 2, flexFrom: 0, throttle: 0, plain: true},
	64: {name: "UNREGISTER_BROKER", max: 0, flexFrom: 0, throttle: 0, plain: true},
	65: {name: "DESCRIBE_TRANSACTIONS", max: 0, flexFrom: 0, throttle: 0, response: firstOfMany},
	66: {name: "LIST_TRANSACTIONS", max: 2, flexFrom: 0, throttle: 0, plain: true},
	67: {name: "ALLOCATE_PRODUCER_IDS", max: 0, flexFrom: 0, throttle: 0, plain: true},
	68: {name: "CONSUMER_GROUP_HEARTBEAT", max: 1, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	69: {name: "CONSUMER_GROUP_DESCRIBE", max: 1, flexFrom: 0, throttle: 0, request: groupsRequest, response: firstOfMany},
	70: {name: "CONTROLLER_REGISTRATION", max: 0, flexFrom: 0, throttle: 0, plain: true},
	71: {name: "GET_TELEMETRY_SUBSCRIPTIONS", max: 0, flexFrom: 0, throttle: 0, plain: true},
	72: {name: "PUSH_TELEMETRY", max: 0, flexFrom: 0, throttle: 0, plain: true},
	73: {name: "ASSIGN_REPLICAS_TO_DIRS", max: 0, flexFrom: 0, throttle: 0, plain: true},
	74: {name: "LIST_CONFIG_RESOURCES", max: 1, flexFrom: 0, throttle: 0, plain: true},
	75: {name: "DESCRIBE_TOPIC_PARTITIONS", max: 0, flexFrom: 0, throttle: 0, request: topicPartitionsRequest, response: firstOfMany},
	76: {name: "SHARE_GROUP_HEARTBEAT", max: 1, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	77: {name: "SHARE_GROUP_DESCRIBE", max: 1, flexFrom: 0, throttle: 0, request: groupsRequest, response: firstOfMany},
	78: {name: "SHARE_FETCH", max: 2, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	79: {name: "SHARE_ACKNOWLEDGE", max: 2, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	80: {name: "ADD_RAFT_VOTER", max: 1, flexFrom: 0, throttle: 0, plain: true},
	81: {name: "REMOVE_RAFT_VOTER", max: 0, flexFrom: 0, throttle: 0, plain: true},
	82: {name: "UPDATE_RAFT_VOTER", max: 0, flexFrom: 0, throttle: 0, plain: true},
	83: {name: "INITIALIZE_SHARE_GROUP_STATE", max: 0, flexFrom: 0, throttle: -1, request: groupRequest},
	84: {name: "READ_SHARE_GROUP_STATE", max: 0, flexFrom: 0, throttle: -1, request: groupRequest},
	85: {name: "WRITE_SHARE_GROUP_STATE", max: 1, flexFrom: 0, throttle: -1, request: groupRequest},
	86: {name: "DELETE_SHARE_GROUP_STATE", max: 0, flexFrom: 0, throttle: -1, request: groupRequest},
	87: {name: "READ_SHARE_GROUP_STATE_SUMMARY", max: 1, flexFrom: 0, throttle: -1, request: groupRequest},
	88: {name: "STREAMS_GROUP_HEARTBEAT", max: 1, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	89: {name: "STREAMS_GROUP_DESCRIBE", max: 1, flexFrom: 0, throttle: 0, request: groupsRequest, response: firstOfMany},
	90: {name: "DESCRIBE_SHARE_GROUP_OFFSETS", max: 1, flexFrom: 0, throttle: 0},
	91: {name: "ALTER_SHARE_GROUP_OFFSETS", max: 0, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	92: {name: "DELETE_SHARE_GROUP_OFFSETS", max: 0, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	93: {name: "STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE", max: 0, flexFrom: 0, throttle: 0, plain: true, request: groupRequest},
	94: {name: "UNREGISTER_CONTROLLER", max: 0, flexFrom: 0, throttle: 0, plain: true},
}
