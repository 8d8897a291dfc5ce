// The lines that both monitors are sent, in order: what one of them makes, the next ones find. One a line as it is
// sent, in Lines; bytes above 127 and control characters are here, as Latin-1. @A and @B are files of the disk's size,
// @S is a socket's path.
using System.IO;
using System.Linq;

namespace FastBackup.Tests.Hosts.Monitor;

static class PeerLines
{
    /// <summary>Differences that are meant, by what QEMU 7.2 says, with the reason.</summary>
    static readonly (string Theirs, string Ours)[] s_onPurpose =
    [
        // QEMU keeps what an action has removed, and locked, until its transaction ends; here it is gone at once.
        (
            "GenericError: Bitmap 'q' is currently in use by another operation and cannot be used",
            "GenericError: Dirty bitmap 'q' not found"
        ),
    ];

    public static readonly string[] Negotiation =
    [
        """{"execute":"query-version"}""",
        """{"execute":"foo"}""",
        """{"execute":1}""",
        """{"id":3}""",
        """{"execute":"qmp_capabilities","arguments":{"enable":["x"]}}""",
        """{"execute":"qmp_capabilities","arguments":{"enable":1}}""",
        """{"execute":"qmp_capabilities","arguments":{"x":1}}""",
        """{"execute":"qmp_capabilities","id":"now"}""",
        """{"execute":"qmp_capabilities"}""",
        """{"execute":"query-version"}""",
    ];

    public static readonly string[] Syntax =
    [
        .. Read("syntax"),
        "{\"execute\":\"query-\nversion\"}",
        "{\"execute\"\n:\n\"query-version\"\t\r\n}",
        "\x01",
        "\x00",
        "{\"execute\":\"query-version\"}\0{\"execute\":\"query-version\"}",
        "{\"a\":\"x\ty\"}",
        "{\"a\":\"x\x7fy\"}",
        "{\"a\":\"x\u00c0\u0080y\"}",
        "{\"a\":\"\u00ed\u00a0\u0080\"}",
        "{\"a\":\"\u0080\"}",
        "{\"a\":\"\u00c3\"}",
        "{\"execute\":\"foo\u00c3\u00a9\"}",
        "{\"execute\":\"query-version\",\"id\":\"\u00c3\u00a9\u00f0\u009f\u0098\u0080\"}",
        "{\"execute\":\"query-version\",\"id\":\"\u00ff\"}",
        "\u00c3\u00a9",
        "\u00ff{\"execute\":\"query-jobs\"}",
        "\u00ef\u00bb\u00bf{\"execute\":\"query-jobs\"}",
        "\u0003{\"execute\":\"query-jobs\"}",
    ];

    public static readonly string[] Commands = Read("commands");

    static string[] Read(string name) => File.ReadAllLines(Repository.PathOf($"tests/Hosts/Monitor/Lines/{name}.txt"));

    public static bool IsDifferentOnPurpose(string theirs, string ours) => s_onPurpose.Contains((theirs, ours));
}
