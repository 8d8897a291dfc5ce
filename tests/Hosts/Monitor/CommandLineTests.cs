// fastbackup ctl and fastbackup top against a running host.
using System;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class CommandLineTests : IDisposable
{
    readonly MonitorScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public void Ctl_RunsABackupAndWaitsForIt()
    {
        string target = _scene.Folder.Hole("t.img", MonitorScene.DiskBytes);
        Expect(
            0,
            "ctl",
            Socket,
            "blockdev-add",
            "driver=raw",
            "node-name=t",
            "file.driver=file",
            "file.filename=" + target
        );
        string[] backup = ["blockdev-backup", "device=vda", "target=t", "sync=full", "job-id=b1"];
        string text = Expect(0, ["ctl", Socket, .. backup, "x-perf.max-workers=2", "--wait", "b1"]);
        Assert.EndsWith("job 'b1' done: 8.0 MiB", text);
        MonitorScene.AssertSame(_scene.Disk(), target);
        JsonNode nodes = JsonNode.Parse(Expect(0, "ctl", Socket, "query-named-block-nodes", "flat=true"))!;
        Assert.Equal(3, nodes.AsArray().Count);
        Expect(0, "ctl", Socket, "blockdev-del", "node-name=t");
        _scene.Quit();
    }

    [Fact]
    public void Ctl_SaysWhatIsWrong()
    {
        Assert.Contains("CommandNotFound: The command foo has not been found", Expect(1, "ctl", Socket, "foo"));
        Assert.Contains("DeviceNotActive: Block job 'x'", Expect(1, "ctl", Socket, "block-job-cancel", "device=x"));
        Assert.Contains("there is no socket", Expect(1, "ctl", Socket + "x", "query-jobs"));
        Assert.Contains("no job 'x' is there", Expect(1, "ctl", Socket, "query-jobs", "--wait", "x"));
        File.WriteAllText(_scene.Folder["file"], "");
        Assert.Contains("(ECONNREFUSED)", Expect(1, "ctl", _scene.Folder["file"], "query-jobs"));
        Assert.Contains("at most 107 bytes", Expect(1, "ctl", new string('x', 200), "query-jobs"));
    }

    [Fact]
    public void Ctl_OfAnotherUser_SaysThatPermissionIsDenied()
    {
        Requires.Root();
        Requires.Command("setpriv");
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        string[] user = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--reuid=65534"];
        File.SetUnixFileMode(Path.GetDirectoryName(Socket)!, (UnixFileMode)0b111_101_101);
        ToolRun run = ToolRun.Of(
            "setpriv",
            [.. user, "--clear-groups", "dotnet", program, "ctl", Socket, "query-jobs"]
        );
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("is not for this user: permission denied (EACCES)", run.Output);
    }

    [Fact]
    public void Ctl_SaysHowToWriteTextThatLooksLikeANumber()
    {
        string[] add = ["ctl", Socket, "blockdev-add", "driver=file", "filename=" + _scene.Folder.Hole("7", 4096)];
        Assert.Contains("write node-name==7 to send it as text", Expect(1, [.. add, "node-name=7"]));
        // Text it is now; that no node may be called so is the monitor's rule.
        Assert.Contains("Invalid node-name: '7'", Expect(1, [.. add, "node-name==7"]));
        Expect(0, [.. add, "node-name:=\"seven\""]);
    }

    [Fact]
    public void Ctl_Waiting_ShowsHowFarItIs()
    {
        _ = _scene.AddTarget("t");
        string[] backup = ["blockdev-backup", "device=vda", "target=t", "sync=full", "job-id=j", "speed=3MiB"];
        string text = Expect(0, ["ctl", Socket, .. backup, "--wait", "j"]);
        Assert.Matches(@"\njob j \d+\.\d %: \d\.\d MiB of 8\.0 MiB, .+/s, .+ left\n", text);
        string[] lines = Expect(0, ["ctl", Socket, .. backup, "--wait", "j", "--json"]).Split('\n');
        Assert.Equal("""{"event":"return","return":{}}""", lines[0]);
        Assert.StartsWith("""{"event":"progress","bytes":""", lines[1], StringComparison.Ordinal);
        Assert.Equal("""{"event":"job","job":"j","status":"done","bytes":8388608}""", lines[^2]);
        Assert.Equal("""{"event":"done","command":"ctl","status":"done","exit_code":0}""", lines[^1]);
        Assert.Equal("", Expect(0, ["ctl", Socket, .. backup, "--wait", "j", "--quiet"]));
    }

    [Theory]
    [InlineData("--wait j", "interrupted; job 'j' goes on: end it with job-cancel id=j")]
    [InlineData("--events 60", "interrupted")]
    [InlineData("--wait j --json", "\"status\":\"interrupted\",\"exit_code\":130")]
    public void Ctl_OnCtrlC_EndsCleanlyAndLeavesTheJob(string waiting, string told)
    {
        _ = _scene.AddTarget("t");
        _scene.StartBackup("t", "j", 1000);
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        string line = $"env --default-signal=INT dotnet {program} ctl {Socket} query-jobs {waiting}";
        ToolRun run = ToolRun.Of("sh", ["-c", $"{line} & sleep 3; kill -INT $!; wait $!; echo code $?"]);
        Assert.EndsWith("code 130", run.Output.TrimEnd());
        Assert.Contains(told, run.Output);
        Assert.Equal("running", _scene.StatusOf("j"));
    }

    [Fact]
    public async Task Ctl_WaitingForAJobThatOthersCancel_Fails()
    {
        _ = _scene.AddTarget("t");
        string told = "";
        for (int seconds = 1; seconds <= 8 && !told.Contains("was cancelled"); seconds *= 2)
        {
            _scene.StartBackup("t", "j", 1000);
            Task<string> waiting = Task.Run(() => Expect(1, "ctl", Socket, "query-jobs", "--wait", "j"));
            await Task.Delay(seconds * 1000, TestContext.Current.CancellationToken); // the program must be there first
            _ = _scene.Client.Run("job-cancel", ("id", "j"));
            _scene.Client.WaitForStatus("j", "null");
            told = await waiting;
        }
        Assert.Contains("job 'j' was cancelled", told);
    }

    [Theory]
    [InlineData(0, 0, "job 'j' done")]
    [InlineData(1000, 1, "job 'j' failed: Operation canceled")]
    public void Ctl_WaitingForAJobThatHasEnded_SaysHow(long speed, int exitCode, string told)
    {
        _ = _scene.AddTarget("t");
        _scene.StartBackup("t", "j", speed, ("auto-dismiss", false));
        if (speed > 0)
            _ = _scene.Client.Run("job-cancel", ("id", "j"));
        _scene.Client.WaitForStatus("j", "concluded");
        Assert.Contains(told, Expect(exitCode, "ctl", Socket, "query-jobs", "--wait", "j"));
    }

    [Fact]
    public void Ctl_WaitingForTheJobThatItCancels_IsDone()
    {
        _ = _scene.AddTarget("t");
        _scene.StartBackup("t", "j", 1000);
        Assert.Contains("job 'j' cancelled", Expect(0, "ctl", Socket, "job-cancel", "id=j", "--wait", "j"));
    }

    [Fact]
    public void Ctl_ShowsEvents()
    {
        _ = _scene.AddTarget("t");
        string[] backup = ["blockdev-backup", "device=vda", "target=t", "sync=full", "job-id=j"];
        string text = Expect(0, ["ctl", Socket, .. backup, "--events", "1"]);
        Assert.Contains("\"event\":\"BLOCK_JOB_COMPLETED\"", text);
        Assert.Contains("\"status\":\"null\"", text);
    }

    [Fact]
    public void Top_ShowsJobsAndTheWaitsOfGuests()
    {
        Assert.Equal("no jobs", Expect(0, "top", Socket, "--once"));
        _ = _scene.AddTarget("t");
        _scene.StartBackup("t", "a-job", 100_000);
        _scene.Host.Ask("guest vda");
        string text = Expect(0, "top", Socket, "--once");
        Assert.Contains("a-job           vda       running", text);
        Assert.Contains("a-job: ", text);
        Assert.Matches(@"below +\d+\.\d\d ms #+ \d+", text);
        string[] lines = Expect(0, "top", Socket, "--once", "--json").Split('\n');
        JsonNode job = JsonNode.Parse(lines[0])!["jobs"]![0]!;
        Assert.Equal("a-job", (string?)job["id"]);
        Assert.NotNull(job["bytes-per-second"]);
        Assert.Equal("done", (string?)JsonNode.Parse(lines[^1])!["event"]);
        Assert.Contains("there is no socket", Expect(1, "top", Socket + "x"));
    }

    [Fact]
    public void Top_OfAJobThatOnlySavesOldData_ShowsNoPart()
    {
        _ = _scene.AddTarget("t");
        string[] backup = ["blockdev-backup", "device=vda", "target=t", "sync=none", "job-id=j"];
        Expect(0, ["ctl", Socket, .. backup]);
        _scene.Host.Ask("guest vda");
        string text = Expect(0, "top", Socket, "--once");
        Assert.Matches(@"\nj +vda +running +- ", text);
        Assert.DoesNotContain("100 %", text);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(80)]
    public void Top_OnANarrowTerminal_Fits(int columns)
    {
        Requires.Command("script");
        _ = _scene.AddTarget("t");
        _scene.StartBackup("t", "a-job-with-a-long-name", 1000);
        _scene.Host.Ask("guest vda");
        while (_scene.Host.AskNumber("count") < 3) // its first writes wait for copies, of which a line tells
            Thread.Sleep(10);
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        string line = $"stty columns {columns} rows 10; TERM=xterm dotnet {program} top {Socket} --once";
        string shown = ToolRun.Of("script", ["-qec", line, "/dev/null"]).Output;
        string drawn = shown[(shown.LastIndexOf("\u001b[J", StringComparison.Ordinal) + 3)..];
        string[] lines = drawn.TrimEnd().Split('\n');
        Assert.InRange(lines.Length, 3, 9);
        Assert.All(lines, text => Assert.InRange(text.TrimEnd().Length, 0, columns - 1));
        Assert.Contains("a-job-w", drawn);
        Assert.DoesNotContain("\u001b[3", shown); // no colours
    }

    [Fact]
    public async Task Top_WhenTheHostEnds_SaysSoAndFails()
    {
        Task<string> watching = Task.Run(() => Expect(1, "top", Socket, "--json"));
        await Task.Delay(3000, TestContext.Current.CancellationToken); // the program must be there first
        _scene.Quit();
        string told = await watching;
        Assert.Contains("the monitor has closed the connection", told);
        Assert.Contains("\"status\":\"failed\",\"exit_code\":1", told);
    }

    [Fact]
    public void Top_OnASignal_EndsCleanly()
    {
        Requires.Command("sh");
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        // A shell without job control starts what is in the background with SIGINT ignored: hence TERM.
        string script = $"dotnet {program} top {Socket} --json & sleep 2; kill -TERM $!; wait $!; echo code $?";
        ToolRun run = ToolRun.Of("sh", ["-c", script]);
        Assert.EndsWith("code 130", run.Output.TrimEnd());
        Assert.Contains("\"status\":\"interrupted\",\"exit_code\":130", run.Output);
        Assert.Contains("\"event\":\"jobs\"", run.Output);
    }

    string Socket => _scene.Host.Socket;

    /// <returns>What it printed on both streams.</returns>
    internal static string Expect(int exitCode, params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        ToolRun run = ToolRun.Of("dotnet", [program, .. arguments]);
        Assert.True(run.ExitCode == exitCode, $"{string.Join(' ', arguments)}: {run.ExitCode}\n{run.Output}");
        return run.Output.TrimEnd();
    }
}
