import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Drives a server, and prints a line for every call: operation, path, answer, and what it held. */
class Client implements Watcher {
	final CountDownLatch connected = new CountDownLatch(1);
	ZooKeeper zk;

	/** Waits for the next time it is connected again. */
	volatile CountDownLatch again = new CountDownLatch(0);

	static synchronized void say(String line) { System.out.println(line); }

	public void process(WatchedEvent e) {
		if (e.getType() == Event.EventType.None) {
			switch (e.getState()) {
				case SyncConnected: say("connect - OK"); break;
				case Expired: say("connect - SESSIONEXPIRED"); break;
				case AuthFailed: say("auth nonsense AUTHFAILED"); break;
				default: return;
			}
			if (e.getState() != Event.KeeperState.AuthFailed) {
				connected.countDown();
				again.countDown();
			}
			return;
		}
		if (e.getType().name().endsWith("WatchRemoved")) return; // the client's own
		say("notification " + e.getPath() + " " + e.getType());
	}

	static void call(String name, String path, Callable<Object> c) throws Exception {
		String status = "OK", more = "";
		try {
			Object o = c.call();
			if (o != null) more = " " + o;
		} catch (KeeperException e) {
			status = e.code().name();
		}
		say(name + " " + path + " " + status + more);
	}

	static String text(byte[] data, Stat s) { return (data == null ? 0 : data.length) + " v" + s.getVersion(); }

	static byte[] bytes(int n) {
		byte[] b = new byte[n];
		Arrays.fill(b, (byte) 'x');
		return b;
	}

	void create(String path, int size, CreateMode mode) throws Exception {
		String name = mode.isContainer() ? "createContainer" : mode.isTTL() ? "createTTL" : "create";
		if (mode.isTTL()) {
			call(name, path, () -> zk.create(path, bytes(size), Ids.OPEN_ACL_UNSAFE, mode, new Stat(), 60000));
			return;
		}
		call(name, path, () -> zk.create(path, bytes(size), Ids.OPEN_ACL_UNSAFE, mode));
	}

	void get(String path, boolean watch) throws Exception {
		Stat s = new Stat();
		call("getData", path, () -> text(zk.getData(path, watch, s), s));
	}

	void set(String path, int size, int version) throws Exception {
		call("setData", path, () -> "v" + zk.setData(path, bytes(size), version).getVersion());
	}

	void exists(String path, boolean watch) throws Exception {
		Stat s = zk.exists(path, watch);
		say("exists " + path + " " + (s == null ? "NONODE" : "OK v" + s.getVersion()));
	}

	void delete(String path, int version) throws Exception {
		call("delete", path, () -> { zk.delete(path, version); return null; });
	}

	void children(String path, boolean watch) throws Exception {
		call("getChildren", path, () -> zk.getChildren(path, watch).size());
	}

	void basics() throws Exception {
		create("/shop", 5, CreateMode.PERSISTENT);
		call("create2", "/shop/stat", () -> zk.create("/shop/stat", bytes(1), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, new Stat()));
		create("/shop/lock", 0, CreateMode.EPHEMERAL);
		create("/shop/job-", 3, CreateMode.PERSISTENT_SEQUENTIAL);
		create("/shop/turn-", 3, CreateMode.EPHEMERAL_SEQUENTIAL);
		create("/shop/box", 0, CreateMode.CONTAINER);
		create("/shop/cache", 9, CreateMode.PERSISTENT_WITH_TTL);
		get("/shop", false);
		set("/shop", 12, 0);
		set("/shop", 0, -1);
		get("/shop", false);
		exists("/shop", false);
		exists("/nowhere", false);
		children("/shop", false);
		call("getChildren2", "/shop", () -> zk.getChildren("/shop", false, new Stat()).size());
		call("getACL", "/shop", () -> { zk.getACL("/shop", new Stat()); return null; });
		call("setACL", "/shop/stat", () -> { zk.setACL("/shop/stat", Ids.OPEN_ACL_UNSAFE, 0); return null; });
		call("getEphemerals", "/shop", () -> zk.getEphemerals("/shop").size());
		call("getAllChildrenNumber", "/shop", () -> zk.getAllChildrenNumber("/shop"));
		call("multi", "-", () -> zk.multi(Arrays.asList(Op.create("/shop/m", bytes(4), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), Op.setData("/shop", bytes(7), 2), Op.check("/shop/stat", 0), Op.delete("/shop/m", -1))).size());
		call("multiRead", "-", () -> zk.multi(Arrays.asList(Op.getData("/shop"), Op.getChildren("/shop"))).size());
		zk.addAuthInfo("digest", "alice:secret".getBytes());
		say("auth digest OK");
		call("whoAmI", "-", () -> zk.whoAmI().size());
		call("sync", "/shop", () -> { CountDownLatch l = new CountDownLatch(1); zk.sync("/shop", (rc, p, x) -> l.countDown(), null); l.await(); return null; });
		delete("/shop/stat", -1);
		Thread.sleep(2500);
	}

	void errors() throws Exception {
		create("/errors", 0, CreateMode.PERSISTENT);
		create("/errors", 0, CreateMode.PERSISTENT);
		create("/errors/a/b", 0, CreateMode.PERSISTENT);
		get("/errors/none", false);
		set("/errors", 3, 7);
		set("/errors/none", 3, -1);
		create("/errors/child", 0, CreateMode.EPHEMERAL);
		create("/errors/child/grandchild", 0, CreateMode.PERSISTENT);
		delete("/errors", -1);
		delete("/errors/child", 5);
		List<ACL> closed = Arrays.asList(new ACL(Perms.ADMIN, new Id("digest", "bob:x")));
		call("create", "/errors/closed", () -> zk.create("/errors/closed", bytes(3), closed, CreateMode.PERSISTENT));
		get("/errors/closed", false);
		set("/errors/closed", 1, -1);
		call("multi", "-", () -> zk.multi(Arrays.asList(Op.create("/errors/m", bytes(0), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), Op.delete("/errors/none", -1))));
		call("multiRead", "-", () -> {
			for (OpResult r : zk.multi(Arrays.asList(Op.getData("/errors"), Op.getData("/errors/none"))))
				if (r instanceof OpResult.ErrorResult) throw KeeperException.create(((OpResult.ErrorResult) r).getErr());
			return null;
		});
		call("checkWatches", "/errors", () -> { zk.removeWatches("/errors", e -> { }, Watcher.WatcherType.Any, true); return null; });
		call("reconfig", "-", () -> ((org.apache.zookeeper.admin.ZooKeeperAdmin) zk).reconfigure("server.9=127.0.0.1:1:1;1", null, null, -1, new Stat()));
		zk.addAuthInfo("nonsense", "not a secret".getBytes());
		Thread.sleep(500);
	}

	void watches() throws Exception {
		create("/watched", 1, CreateMode.PERSISTENT);
		get("/watched", true);
		set("/watched", 2, -1);
		exists("/watched/new", true);
		children("/watched", true);
		create("/watched/new", 1, CreateMode.PERSISTENT);
		call("addWatch", "/watched", () -> { zk.addWatch("/watched", this, AddWatchMode.PERSISTENT_RECURSIVE); return null; });
		delete("/watched/new", -1);
		set("/watched", 5, -1);
		exists("/watched/later", true);
		again = new CountDownLatch(1);
		System.err.println("restart");
		again.await(30, TimeUnit.SECONDS);
		Thread.sleep(500);
		create("/watched/later", 1, CreateMode.PERSISTENT);
		call("checkWatches", "/watched", () -> { zk.removeWatches("/watched", this, Watcher.WatcherType.Any, false); return null; });
		call("addWatch", "/watched", () -> { zk.addWatch("/watched", this, AddWatchMode.PERSISTENT); return null; });
		call("removeWatches", "/watched", () -> { zk.removeAllWatches("/watched", Watcher.WatcherType.Any, false); return null; });
		Thread.sleep(300);
	}

	void large() throws Exception {
		create("/large", 18000, CreateMode.PERSISTENT);
		get("/large", false);
		set("/large", 20000, 0);
		get("/large", false);
		create("/" + "p".repeat(2000), 10, CreateMode.PERSISTENT);
	}

	void pipelined() throws Exception {
		create("/pipe", 10, CreateMode.PERSISTENT);
		int n = 40;
		CountDownLatch done = new CountDownLatch(2 * n);
		for (int i = 0; i < n; i++) {
			String path = i % 5 == 4 ? "/none" + i : "/pipe";
			zk.getData(path, false, (rc, p, x, data, stat) -> {
				say("getData " + p + " " + KeeperException.Code.get(rc).name() + (rc == 0 ? " " + text(data, stat) : ""));
				done.countDown();
			}, null);
			zk.create("/pipe/" + i, bytes(i), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (rc, p, x, name) -> {
				say("create " + p + " " + KeeperException.Code.get(rc).name() + (rc == 0 ? " " + name : ""));
				done.countDown();
			}, null);
		}
		done.await();
	}

	Client(String address, boolean ping) throws Exception {
		zk = new org.apache.zookeeper.admin.ZooKeeperAdmin(address, ping ? 6000 : 30000, this);
		connected.await();
	}

	public static void main(String[] args) throws Exception {
		String scenario = args[1];
		if (scenario.equals("concurrent")) {
			List<Thread> threads = new ArrayList<>();
			for (int i = 0; i < 4; i++) {
				String path = "/concurrent" + i;
				Thread t = new Thread(() -> {
					try {
						Client c = new Client(args[0], false);
						c.create(path, 1, CreateMode.EPHEMERAL);
						for (int k = 0; k < 8; k++) {
							c.set(path, k, k % 3 == 2 ? 99 : -1);
							c.get(path, false);
						}
						c.zk.close();
						say("closeSession - OK");
					} catch (Exception e) {
						throw new RuntimeException(e);
					}
				});
				t.start();
				threads.add(t);
			}
			for (Thread t : threads) t.join();
			return;
		}
		Client c = new Client(args[0], scenario.equals("basics"));
		switch (scenario) {
			case "basics": c.basics(); break;
			case "errors":
				c.errors(); // the server hangs up
				c.again = new CountDownLatch(1);
				new ZooKeeper(args[0], 5000, c, 0x1234, new byte[16]);
				c.again.await();
				System.exit(0);
				return;
			case "watches": c.watches(); break;
			case "large": c.large(); break;
			default: c.pipelined();
		}
		c.zk.close();
		say("closeSession - OK");
	}
}
