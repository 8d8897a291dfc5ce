// A monitor as hosts hold it: a socket, a thread, nodes that its clients opened and jobs that they started. What it
// makes belongs to the engine like all else; what it started ends with it.
using System.Threading;
using FastBackup.Jobs;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Jobs;
using FastBackup.Native.Monitor.Nbd;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Native.Monitor.Plans;
using FastBackup.Native.Objects;
using FastBackup.Ports;

namespace FastBackup.Native.Monitor.Server;

/// <summary>Threads: as each member says.</summary>
sealed class MonitorObject : EngineChild, IHandleKind, IJobObserver, ILoopMember
{
    readonly MonitorLoop _loop;
    readonly PatientFiles _files = new();
    readonly ExportCommands _exportCommands;
    readonly CreateCommand _create;
    int _isClosing;

    public MonitorObject(EngineObject engine, MonitorListener listener, EventFd wake)
        : base(engine)
    {
        Turns = new MonitorTurns(engine, this);
        Inbox = new MonitorInbox(wake);
        Nodes = new NodeTable(engine);
        Jobs = new StartedJobs(Turns, Inbox);
        Plans = new WaitingPlans(Turns);
        Exports = new MonitorExports(engine, Nodes, Inbox);
        _exportCommands = new ExportCommands(Turns, Exports);
        CreationJobs creations = new(Inbox);
        _create = new CreateCommand(Turns, Nodes, _files, Inbox, creations);
        CommandTable commands = new(
            new NodeCommands(Turns, Nodes, _files, Inbox),
            new NodeQuery(Turns, Nodes),
            new ResizeCommand(Turns, Nodes),
            _create,
            new JobCommands(Turns, creations),
            new JobQueries(Turns, creations),
            new TransactionCommands(Turns, Nodes, Jobs, Plans, Inbox, _files),
            new CheckpointCommands(Turns, Nodes, _files),
            new BitmapHash(Turns, Nodes),
            _exportCommands
        );
        CommandDispatcher dispatcher = new(commands, Inbox, Turns);
        _loop = new MonitorLoop(dispatcher, listener, Inbox, Turns, Jobs, Plans);
    }

    public static HandleKind Kind => HandleKind.Monitor;

    public static string Noun => "monitor";

    /// <summary>Any thread.</summary>
    public MonitorTurns Turns { get; }

    /// <summary>Any thread.</summary>
    public MonitorInbox Inbox { get; }

    /// <summary>The monitor's thread, or the closing one when that has ended.</summary>
    public NodeTable Nodes { get; }

    /// <summary>The reactor's thread.</summary>
    public StartedJobs Jobs { get; }

    /// <summary>The reactor's thread.</summary>
    public WaitingPlans Plans { get; }

    /// <summary>The reactor's thread.</summary>
    public MonitorExports Exports { get; }

    public void Start() => _loop.Start();

    /// <summary>No client, no socket and no thread from now on; a second call does nothing.</summary>
    public void Stop()
    {
        _loop.Stop();
        _files.GiveUp();
        _create.GiveUp();
        _exportCommands.RemoveSocket();
    }

    /// <summary>True for one at a time.</summary>
    public bool TryBeginClose() => Interlocked.Exchange(ref _isClosing, 1) == 0;

    public void EndClose() => Volatile.Write(ref _isClosing, 0);

    void IJobObserver.OnJobMade(BackupJob job) => Inbox.PostEvent(JobJson.StatusChange(job, JobStatus.Created));

    void IJobObserver.OnJobEvent(BackupJob job, in JobEvent happened, bool hasBegun)
    {
        switch (happened.Kind)
        {
            case JobEventKind.StatusChanged when happened.Status == JobStatus.Concluded:
                break; // told behind the job's end
            case JobEventKind.StatusChanged:
                Inbox.PostEvent(JobJson.StatusChange(job, happened.Status));
                break;
            case JobEventKind.DeviceError:
                Inbox.PostEvent(JobJson.DeviceError(job, happened));
                break;
            case JobEventKind.WaitsForFinalize:
                if (!job.AutoFinalize)
                    Inbox.PostEvent(JobJson.Pending(job));
                break;
            default:
                if (hasBegun)
                    Inbox.PostEvent(JobJson.End(job, happened.Kind));
                Inbox.PostEvent(JobJson.StatusChange(job, JobStatus.Concluded));
                break;
        }
        if (happened.Status == JobStatus.Null)
            Inbox.Post(_loop.CloseJobs);
    }

    /// <summary>A bug has stopped the engine: clients that wait are told.</summary>
    void ILoopMember.OnLoopFailed()
    {
        Plans.GiveUpAll(EngineObject.StoppedAnswer().Text!);
        Exports.GiveUp();
    }
}
