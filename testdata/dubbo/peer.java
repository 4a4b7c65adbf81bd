import com.caucho.hessian.io.Hessian2Input;
import com.caucho.hessian.io.Hessian2Output;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.HashMap;
import java.util.Map;

/**
 * A server of the Dubbo protocol for the recordings ("server"), and a client that sends what
 * the other client does not ("client"), with Caucho's Hessian, which Dubbo's own descends
 * from. The client prints a line for every call.
 */
class Peer {
	static final int REQUEST = 0x80, TWO_WAY = 0x40, EVENT = 0x20, HESSIAN2 = 2;

	interface Writer { void write(Hessian2Output out) throws IOException; }

	static byte[] body(Writer w) throws IOException {
		ByteArrayOutputStream b = new ByteArrayOutputStream();
		Hessian2Output out = new Hessian2Output(b);
		w.write(out);
		out.flush();
		return b.toByteArray();
	}

	static void send(DataOutputStream out, int flags, int status, long id, byte[] body) throws IOException {
		ByteArrayOutputStream b = new ByteArrayOutputStream();
		DataOutputStream d = new DataOutputStream(b);
		d.writeShort(0xdabb);
		d.writeByte(flags);
		d.writeByte(status);
		d.writeLong(id);
		d.writeInt(body.length);
		d.write(body);
		synchronized (out) {
			out.write(b.toByteArray());
			out.flush();
		}
	}

	public static class SoldOutException extends RuntimeException {
		int left = 3;

		SoldOutException(String why) { super(why, new IllegalStateException("no stock")); }
	}

	static final byte[] NULL = {'N'};

	static void serve(Socket s) throws Exception {
		DataInputStream in = new DataInputStream(s.getInputStream());
		DataOutputStream out = new DataOutputStream(s.getOutputStream());
		for (int requests = 0;; requests++) {
			in.readShort();
			int flags = in.readUnsignedByte();
			in.readByte();
			long id = in.readLong();
			byte[] b = new byte[in.readInt()];
			in.readFully(b);
			if ((flags & REQUEST) == 0) continue;
			if ((flags & EVENT) != 0) {
				if ((flags & TWO_WAY) != 0) send(out, EVENT | HESSIAN2, 20, id, NULL);
				continue;
			}
			if ((flags & 31) != HESSIAN2) {
				send(out, HESSIAN2, 40, id, body(o -> o.writeString("unknown serialization")));
				continue;
			}
			Hessian2Input h = new Hessian2Input(new ByteArrayInputStream(b));
			h.readString();
			String service = h.readString();
			h.readString();
			String method = h.readString();
			String types = h.readString();
			Object arg = types.isEmpty() ? null : h.readObject();
			if ((flags & TWO_WAY) == 0) continue;
			answer(out, id, service, method, arg);
			if (method.equals("poke")) {
				send(out, REQUEST | TWO_WAY | EVENT | HESSIAN2, 0, 77, NULL);
				send(out, REQUEST | EVENT | HESSIAN2, 0, 78, body(o -> o.writeString("R")));
			}
		}
	}

	static void answer(DataOutputStream out, long id, String service, String method, Object arg) throws Exception {
		Map<String, String> attachments = new HashMap<>();
		attachments.put("dubbo", "2.0.2");
		if (service.endsWith("Missing")) {
			send(out, HESSIAN2, 60, id, body(o -> o.writeString("Not found exported service: " + service)));
			return;
		}
		switch (method) {
			case "slow":
				new Thread(() -> {
					try {
						Thread.sleep(200);
						send(out, HESSIAN2, 20, id, body(o -> { o.writeInt(1); o.writeObject(arg); }));
					} catch (Exception e) {
						e.printStackTrace();
					}
				}).start();
				return;
			case "nothing":
				send(out, HESSIAN2, 20, id, body(o -> { o.writeInt(5); o.writeObject(attachments); }));
				return;
			case "fail":
				send(out, HESSIAN2, 20, id, body(o -> { o.writeInt(3); o.writeObject(new SoldOutException("" + arg)); o.writeObject(attachments); }));
				return;
			case "failOld":
				send(out, HESSIAN2, 20, id, body(o -> { o.writeInt(0); o.writeObject(new IllegalArgumentException("" + arg)); }));
				return;
			case "large":
				send(out, HESSIAN2, 20, id, body(o -> { o.writeInt(1); o.writeObject("ü".repeat(15000)); }));
				return;
			case "exhausted":
				send(out, HESSIAN2, 100, id, body(o -> o.writeString("Server side threadpool is exhausted!")));
				return;
			default:
				send(out, HESSIAN2, 20, id, body(o -> { o.writeInt(4); o.writeObject(arg); o.writeObject(attachments); }));
		}
	}

	static long next = 100;

	static void ask(DataOutputStream out, int flags, String service, String method, String types, Object... args) throws Exception {
		send(out, REQUEST | flags | HESSIAN2, 0, next++, body(o -> {
			o.writeString("2.0.2");
			o.writeString(service);
			o.writeString("1.2.0");
			o.writeString(method);
			o.writeString(types);
			for (Object a : args) o.writeObject(a);
			o.writeObject(new HashMap<String, String>());
		}));
	}

	/** Reads messages up to the answer to the latest request; answers the server's heartbeats. */
	static void await(DataInputStream in, DataOutputStream out, long id) throws Exception {
		for (;;) {
			in.readShort();
			int flags = in.readUnsignedByte();
			in.readByte();
			long got = in.readLong();
			in.readFully(new byte[in.readInt()]);
			if ((flags & REQUEST) != 0 && (flags & TWO_WAY) != 0) send(out, EVENT | HESSIAN2, 20, got, NULL);
			if ((flags & REQUEST) == 0 && got == id) return;
		}
	}

	static void client(int port) throws Exception {
		Socket s = new Socket(InetAddress.getLoopbackAddress(), port);
		DataInputStream in = new DataInputStream(s.getInputStream());
		DataOutputStream out = new DataOutputStream(s.getOutputStream());
		String shop = "demo.shop.Shop";
		ask(out, TWO_WAY, shop, "find", "Ljava/lang/String;", "lamp");
		await(in, out, next - 1);
		System.out.println("find OK");
		ask(out, 0, shop, "log", "Ljava/lang/String;", "a line");
		System.out.println("log one-way");
		send(out, REQUEST | TWO_WAY | EVENT | HESSIAN2, 0, next++, NULL);
		await(in, out, next - 1);
		System.out.println("heartbeat OK");
		ask(out, TWO_WAY, shop, "$invoke", "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;", "buy", new String[] {"int"}, new Object[] {1});
		await(in, out, next - 1);
		System.out.println("buy OK");
		ask(out, TWO_WAY, shop, "exhausted", "");
		await(in, out, next - 1);
		System.out.println("exhausted SERVER_THREADPOOL_EXHAUSTED_ERROR Server side threadpool is exhausted!");
		ask(out, TWO_WAY, shop, "poke", "");
		await(in, out, next - 1);
		System.out.println("poke OK");
		System.out.println("heartbeat one-way");
		System.out.println("readonly one-way");
		send(out, REQUEST | TWO_WAY | 8, 0, next++, new byte[] {1, 2, 3});
		await(in, out, next - 1);
		System.out.println("- BAD_REQUEST unknown serialization");
		ask(out, TWO_WAY, shop, "put", "Ljava/lang/String;", "é".repeat(12000));
		await(in, out, next - 1);
		System.out.println("put OK");
		s.close();
	}

	public static void main(String[] args) throws Exception {
		int port = Integer.parseInt(args[1]);
		if (args[0].equals("client")) {
			client(port);
			return;
		}
		ServerSocket all = new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
		for (;;) {
			Socket s = all.accept();
			new Thread(() -> {
				try {
					serve(s);
				} catch (Exception e) { // the client has gone
				}
			}).start();
		}
	}
}
