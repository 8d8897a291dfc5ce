// Programs that are run as tests: small sizes of the benchmarks and the like, so that they cannot rot. Each
// line counts as one test: passed when the program exits with 0 within its time limit. Add lines to All
// and nothing else; a program that is named here must exist, else its line fails.
namespace FastBackup.Dev;

static class ProgramSteps
{
    // Shape of a line: suite name, project folder, arguments, for example
    // ("micro-bitmap", "bench/Micro", "bitmap --smoke").
    public static readonly ProgramStep[] All =
    [
        // 20 million guest operations; about 90 s on two processors, 240 s at most.
        new("simulation", "tests/Simulation", "--seeds 1..6700 --seconds 240"),
        new("simulation-bugs", "tests/Simulation", "--bugs"),
    ];
}
