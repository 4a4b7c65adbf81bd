package kafka

// The request bodies that name topics or a group. Field order and versions are
// those of Kafka's message definitions (clients/src/main/resources/common/message).

func produceRequest(r *body) {
	r.carries = true
	r.since(3, func() { r.str() }) // transactional id
	acks := r.i16()
	r.unacknowledged = acks == 0 && !r.bad
	r.i32() // timeout
	r.array(func(r *body) {
		r.topicOrID(13)
		r.array(func(r *body) {
			r.partition()
			r.recordsOf(false)
			r.tags()
		})
		r.tags()
	})
}

func fetchRequest(r *body) {
	if r.version < 15 {
		r.i32() // replica id
	}
	r.i32() // longest wait
	r.i32() // fewest bytes
	r.since(3, func() { r.i32() })
	r.since(4, func() { r.i8() })
	r.since(7, func() { r.i64() }) // session id and epoch
	r.array(func(r *body) {
		r.topicOrID(13)
		r.array(func(r *body) {
			r.partition()
			r.since(9, func() { r.i32() })
			r.offset()
			r.since(12, func() { r.i32() })
			r.since(5, r.i64)
			r.i32()
			r.tags()
		})
		r.tags()
	})
}

func listOffsetsRequest(r *body) {
	r.i32()
	r.since(2, func() { r.i8() })
	r.array(func(r *body) {
		r.topic(r.str())
		r.array(func(r *body) {
			r.partition()
			r.since(4, func() { r.i32() })
			r.i64()
			if r.version == 0 {
				r.i32()
			}
			r.tags()
		})
		r.tags()
	})
}

func metadataRequest(r *body) {
	r.array(func(r *body) {
		r.at = nil
		r.since(10, r.uuid)
		if name := r.str(); len(r.at) == 0 {
			r.topic(name)
		}
		r.tags()
	})
}

func offsetCommitRequest(r *body) {
	r.group()
	r.since(1, func() { r.i32(); r.str() })
	r.since(7, func() { r.str() })
	if r.version >= 2 && r.version <= 4 {
		r.i64()
	}
	r.array(func(r *body) {
		r.topicOrID(10)
		r.array(func(r *body) {
			r.partition()
			r.offset()
			r.since(6, func() { r.i32() })
			if r.version == 1 {
				r.i64()
			}
			r.str()
			r.tags()
		})
		r.tags()
	})
}

func offsetFetchRequest(r *body) {
	topics := func(r *body) {
		r.topicOrID(10)
		r.partitionsOf()
		r.tags()
	}
	if r.version < 8 {
		r.group()
		r.array(topics)
		return
	}
	r.array(func(r *body) {
		r.group()
		r.since(9, func() { r.str(); r.i32() })
		r.array(topics)
		r.tags()
	})
}

// findCoordinatorRequest has groups, or from version 1 on also other keys.
func findCoordinatorRequest(r *body) {
	if r.version < 4 {
		key := r.str()
		group := r.version == 0 || r.i8() == 0
		if !r.bad && group {
			Group.Set(&r.m.Values, key)
		}
		return
	}
	group := r.i8() == 0
	r.array(func(r *body) {
		key := r.str()
		r.tree.name("key ", key)
		if !r.bad && group && !r.m.Has(Group) {
			Group.Set(&r.m.Values, key)
		}
	})
}

func groupRequest(r *body) { r.group() }

// groupsRequest keeps the first of several groups.
func groupsRequest(r *body) {
	r.array(func(r *body) {
		if g := r.key(); !r.bad && !r.m.Has(Group) {
			Group.Set(&r.m.Values, g)
		}
	})
}

func createTopicsRequest(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.tree.note("partitions", int64(r.i32()))
		r.i16()
		r.array(func(r *body) { r.partition(); r.ints(); r.tags() })
		r.array(func(r *body) { r.str(); r.str(); r.tags() })
		r.tags()
	})
}

func deleteTopicsRequest(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.since(6, func() { r.uuid(); r.tags() })
	})
}

func deleteRecordsRequest(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.array(func(r *body) { r.partition(); r.offset(); r.tags() })
		r.tags()
	})
}

func leaderEpochRequest(r *body) {
	r.since(3, func() { r.i32() })
	r.array(func(r *body) {
		r.topic(r.str())
		r.array(func(r *body) {
			r.partition()
			r.since(2, func() { r.i32() })
			r.i32()
			r.tags()
		})
		r.tags()
	})
}

func addPartitionsRequest(r *body) {
	if r.version > 3 {
		return // of brokers, for many transactions at once
	}
	r.str()
	r.take(10) // producer id and epoch
	r.array(func(r *body) { r.topic(r.str()); r.partitionsOf(); r.tags() })
}

func addOffsetsRequest(r *body) {
	r.str()
	r.take(10)
	r.group()
}

func txnOffsetCommitRequest(r *body) {
	r.str()
	r.group()
	r.take(10)
	r.since(3, func() { r.i32(); r.str(); r.str() })
	r.array(func(r *body) {
		r.topicOrID(6)
		r.array(func(r *body) {
			r.partition()
			r.offset()
			r.since(2, func() { r.i32() })
			r.str()
			r.tags()
		})
		r.tags()
	})
}

func createPartitionsRequest(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.tree.note("partitions", int64(r.i32()))
		r.array(func(r *body) { r.ints(); r.tags() })
		r.tags()
	})
}

func offsetDeleteRequest(r *body) {
	r.group()
	r.array(func(r *body) { r.topic(r.str()); r.partitionsOf() })
}

func topicPartitionsRequest(r *body) {
	r.array(func(r *body) { r.topic(r.str()); r.tags() })
}
