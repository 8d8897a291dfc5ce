// Programs that are run as tests: small sizes of the benchmarks and the like, so that they cannot rot. Each
// line counts as one test: passed when the program exits with 0 within its time limit. Add lines to All
// and nothing else; a program that is named here must exist, else its line fails.
namespace FastBackup.Dev;

static class ProgramSteps
{
    // Shape of a line: suite name, project folder, arguments, for example
    // ("micro-bitmap", "bench/Micro", "bitmap --smoke").
    /// <summary>Of --quick.</summary>
    public static readonly ProgramStep[] Quick =
    [
        new("simulation-quick", "tests/Simulation", "--seeds 1..2000 --seconds 30"),
    ];

    public static readonly ProgramStep[] All =
    [
        // 20 million guest operations, or what two processors make of them in 110 s.
        new("simulation", "tests/Simulation", "--seeds 1..6700 --seconds 110"),
        new("simulation-bugs", "tests/Simulation", "--bugs"),
        new("fuzz-nbd", "tests/Fuzz", "--end both --sessions 20000"),
        new("fuzz-images", "tests/Fuzz", "--end image --sessions 20000"),
        new("micro-bitmap", "bench/Micro", "bitmap --smoke"),
        new("micro-since", "bench/Micro", "since --smoke"),
        new("micro-list", "bench/Micro", "--list flat"),
        new("micro-dry", "bench/Micro", "--job dry --inProcess --filter *"),
        new("throughput", "bench/Throughput", "--smoke"),
        new("bench-growth", "bench/Growth", "--smoke"),
        new("bench-points", "bench/Points", "--smoke"),
        new("report", "bench", "smoke"),
        new("guest-latency", "bench/GuestLatency", "--smoke"),
        new("guest-latency-plugin", "bench/GuestLatency", "--smoke --server plugin"),
        new("stress-memory", "tests/Stress", "--disk memory --seconds 6"),
        new("stress-memory-one-core", "tests/Stress", "--disk memory --seconds 6 --cores 1"),
        new("stress-file-hooks", "tests/Stress", "--disk file --mode hook --seconds 6"),
        new("stress-memory-mixed", "tests/Stress", "--disk memory --mode mixed --seconds 6"),
        new("stress-file-device", "tests/Stress", "--disk file --mode device --seconds 6"),
    ];
}
