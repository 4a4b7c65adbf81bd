package kafka

// The response bodies whose error codes stand further in than behind the throttle
// time, which body.answer has read.

// perPartition reads topics with partitions, each with an error code behind its
// number and with what rest reads behind that.
func perPartition(r *body, idSince int, rest func(r *body)) {
	r.array(func(r *body) {
		r.topicOrID(idSince)
		r.array(func(r *body) {
			r.partition()
			r.err()
			if rest != nil {
				rest(r)
			}
			r.tags()
		})
		r.tags()
	})
}

const never = 1<<15 - 1 // a version that no API reaches

func produceResponse(r *body) {
	perPartition(r, 13, func(r *body) {
		r.offset()
		r.since(2, r.i64)
		r.since(5, r.i64)
		r.since(8, func() {
			r.array(func(r *body) { r.i32(); r.str(); r.tags() })
			r.str()
		})
	})
}

func fetchResponse(r *body) {
	r.carries = true
	r.since(7, func() { r.err(); r.i32() })
	r.seen = true // a session's response without news has no partitions
	perPartition(r, 13, func(r *body) {
		r.i64()
		r.since(4, r.i64)
		r.since(5, r.i64)
		r.since(4, func() { r.array(func(r *body) { r.take(16); r.tags() }) })
		r.since(11, func() { r.i32() })
		r.recordsOf(true)
	})
}

func listOffsetsResponse(r *body) {
	perPartition(r, never, func(r *body) {
		if r.version == 0 {
			r.array(func(r *body) { r.offset() })
			return
		}
		r.i64()
		r.offset()
		r.since(4, func() { r.i32() })
	})
}

// leaderEpochResponse has the error code of a partition before its number.
func leaderEpochResponse(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.array(func(r *body) {
			r.err()
			r.partition()
			r.since(1, func() { r.i32() })
			r.offset()
			r.tags()
		})
		r.tags()
	})
}

func metadataResponse(r *body) {
	r.seen = true           // without topics there is nothing to go wrong
	r.array(func(r *body) { // brokers
		r.i32()
		r.str()
		r.i32()
		r.since(1, func() { r.str() })
		r.tags()
	})
	r.since(2, func() { r.str() })
	r.since(1, func() { r.i32() })
	r.array(func(r *body) {
		r.err()
		name := r.str()
		if r.topic(name); len(name) > 0 {
			r.since(10, func() { r.take(16) })
		} else {
			r.since(10, r.uuid)
		}
		r.since(1, func() { r.i8() })
		r.array(func(r *body) {
			r.err()
			r.partition()
			r.i32()
			r.since(7, func() { r.i32() })
			r.ints()
			r.ints()
			r.since(5, r.ints)
			r.tags()
		})
		r.since(8, func() { r.i32() })
		r.tags()
	})
	if r.version >= 8 && r.version <= 10 {
		r.i32()
	}
	r.since(13, r.err)
}

func offsetCommitResponse(r *body) { perPartition(r, 10, nil) }

func offsetFetchResponse(r *body) {
	topics := func(r *body) {
		r.topicOrID(10)
		r.array(func(r *body) {
			r.partition()
			r.offset()
			r.since(5, func() { r.i32() })
			r.str()
			r.err()
			r.tags()
		})
		r.tags()
	}
	if r.version < 8 {
		r.array(topics)
		r.since(2, r.err)
		return
	}
	r.array(func(r *body) {
		r.key()
		r.array(topics)
		r.err()
		r.tags()
	})
}

func findCoordinatorResponse(r *body) {
	if r.version < 4 {
		r.err()
		return
	}
	r.array(func(r *body) {
		r.tree.name("key ", r.str())
		r.i32()
		r.str()
		r.i32()
		r.err()
		r.str()
		r.tags()
	})
}

func createTopicsResponse(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.since(7, func() { r.take(16) })
		r.err()
		r.since(1, func() { r.str() })
		r.since(5, func() {
			r.i32()
			r.i16()
			r.array(func(r *body) { r.str(); r.str(); r.take(3); r.tags() })
		})
		r.tags()
	})
}

func deleteTopicsResponse(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.since(6, func() { r.take(16) })
		r.err()
		r.since(5, func() { r.str() })
		r.tags()
	})
}

func deleteRecordsResponse(r *body) {
	r.array(func(r *body) {
		r.topic(r.str())
		r.array(func(r *body) { r.partition(); r.offset(); r.err(); r.tags() })
		r.tags()
	})
}

// perGroup reads the groups of DELETE_GROUPS.
func perGroup(r *body) {
	r.array(func(r *body) { r.key(); r.err(); r.tags() })
}

func describeGroupsResponse(r *body) {
	r.array(func(r *body) {
		r.err()
		r.since(6, func() { r.str() })
		r.key()
		r.str()
		r.str()
		r.str()
		r.array(func(r *body) { // members
			r.str()
			r.since(4, func() { r.str() })
			r.str()
			r.str()
			r.blob()
			r.blob()
			r.tags()
		})
		r.since(3, func() { r.i32() })
		r.tags()
	})
}

func createACLsResponse(r *body) {
	r.array(func(r *body) { r.err(); r.str(); r.tags() })
}

func deleteACLsResponse(r *body) {
	r.array(func(r *body) { // filters
		r.err()
		r.str()
		r.array(func(r *body) { // what each deletes
			r.err()
			r.str()
			r.i8()
			r.str()
			r.since(1, func() { r.i8() })
			r.str()
			r.str()
			r.take(2)
			r.tags()
		})
		r.tags()
	})
}

func describeConfigsResponse(r *body) {
	r.array(func(r *body) {
		r.err()
		r.str()
		r.i8()
		r.str()
		r.array(func(r *body) { // configs
			r.str()
			r.str()
			r.take(3)
			r.since(1, func() { r.array(func(r *body) { r.str(); r.str(); r.i8(); r.tags() }) })
			r.since(3, func() { r.i8(); r.str() })
			r.tags()
		})
		r.tags()
	})
}

func alterConfigsResponse(r *body) {
	r.array(func(r *body) { r.err(); r.str(); r.i8(); r.str(); r.tags() })
}

func alterQuotasResponse(r *body) {
	r.array(func(r *body) {
		r.err()
		r.str()
		r.array(func(r *body) { r.str(); r.str(); r.tags() })
		r.tags()
	})
}

// firstOfMany reads the error that begins the first element. How elements go on, it does not
// know: of several the others may have errors.
func firstOfMany(r *body) {
	if n := r.count(); n > 0 {
		r.err()
		r.bad = r.bad || n > 1
	}
}

func txnOffsetCommitResponse(r *body) { perPartition(r, 6, nil) }

func createPartitionsResponse(r *body) {
	r.array(func(r *body) { r.topic(r.str()); r.err(); r.str(); r.tags() })
}

func addPartitionsResponse(r *body) {
	if r.version > 3 {
		r.err()
		return
	}
	r.array(func(r *body) {
		r.topic(r.str())
		r.array(func(r *body) { r.partition(); r.err(); r.tags() })
		r.tags()
	})
}
