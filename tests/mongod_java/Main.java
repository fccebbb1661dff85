import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;

/**
 * A second reading of the MongoDB protocol, in memory: mongo-java-server. What the store's code takes from one server's
 * habits shows on the other. Prints one line, `ready mongodb://HOST:PORT/`, and ends with whoever started it.
 */
public class Main {
	private static final int PARENT_POLL_MS = 200;

	public static void main(String[] args) throws InterruptedException {
		ProcessHandle parent = ProcessHandle.current().parent().orElseThrow();
		MongoServer server = new MongoServer(new MemoryBackend());
		InetSocketAddress address = new InetSocketAddress("127.0.0.1", args.length > 0 ? Integer.parseInt(args[0]) : 0);

		server.bind(address);
		System.out.println("ready mongodb://127.0.0.1:" + server.getLocalAddress().getPort() + "/");
		while (parent.equals(ProcessHandle.current().parent().orElse(null)))
			Thread.sleep(PARENT_POLL_MS);
		server.shutdownNow();
	}
}
