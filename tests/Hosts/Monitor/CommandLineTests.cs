// fastbackup ctl and fastbackup top against a running host.
using System;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using FastBackup.Tests.Abi.Machine;
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
