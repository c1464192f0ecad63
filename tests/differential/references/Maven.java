import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.maven.artifact.versioning.ComparableVersion;

/** The order of Maven itself. */
public class Maven {
    public static void main(String[] arguments) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] pair = line.split(" ");
            int order = new ComparableVersion(pair[0]).compareTo(new ComparableVersion(pair[1]));
            out.append(pair[0]).append(order < 0 ? " < " : order > 0 ? " > " : " = ").append(pair[1]).append('\n');
        }
        new PrintStream(System.out, true, StandardCharsets.UTF_8).print(out);
    }
}
