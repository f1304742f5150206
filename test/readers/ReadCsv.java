import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/**
 * Reads one package as the vendor's guide for Java does, and prints it as JSON: {"header": [...], "rows": [[...], ...]}.
 *
 * Usage: java -cp /usr/share/java/commons-csv.jar:/usr/share/java/commons-compress.jar ReadCsv.java part-00000-....csv.gz
 * GzipCompressorInputStream is given no second argument, so it stops after the first gzip member. Knows no null: without
 * withNullString, commons-csv gives "" for nothing between the commas and for "".
 */
public class ReadCsv {
    public static void main(String[] arguments) throws Exception {
        List<String> records = new ArrayList<>();
        CSVFormat format = CSVFormat.DEFAULT.withEscape('\\').withQuote('"');
        try (FileInputStream file = new FileInputStream(arguments[0]);
                Reader reader = new InputStreamReader(new GzipCompressorInputStream(file), StandardCharsets.UTF_8);
                CSVParser parser = new CSVParser(reader, format)) {
            for (CSVRecord record : parser) {
                records.add(toJson(record));
            }
        }
        String rows = String.join(",", records.subList(1, records.size()));
        PrintStream output = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        output.print("{\"header\":" + records.get(0) + ",\"rows\":[" + rows + "]}");
        output.flush();
    }

    private static String toJson(CSVRecord record) {
        List<String> cells = new ArrayList<>();
        for (String cell : record) {
            cells.add(toJson(cell));
        }
        return "[" + String.join(",", cells) + "]";
    }

    private static String toJson(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char unit : text.toCharArray()) {
            if (unit >= ' ' && unit < 127 && unit != '"' && unit != '\\') {
                json.append(unit);
            } else {
                json.append("\\u").append(Integer.toHexString(0x10000 + unit), 1, 5);
            }
        }
        return json.append('"').toString();
    }
}
