// What the recorded servers serve.
namespace go shop

exception SoldOut {
  1: string item
  2: i32 left
}

struct Item {
  1: string name
  2: double price
  3: list<string> tags
  4: map<string, i64> stock
  5: bool active
  6: optional Item part
  7: set<i16> sizes
  8: binary image
}

service Shop {
  void ping()
  i32 add(1: i32 a, 2: i32 b)
  Item get(1: string name) throws (1: SoldOut gone)
  list<Item> all(1: i32 count)
  void put(1: Item item, 2: list<bool> flags, 3: map<byte, Item> parts)
  string fail(1: string why)
  oneway void log(1: string line)
}

// What only the client knows.
service More extends Shop {
  void nothing()
}
