// From what a client has sent to a command's handler and back: messages are judged, commands looked up and carried out,
// answers sent in the order of the commands.
using System;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Server;

/// <summary>Threads: the monitor's.</summary>
sealed class CommandDispatcher(CommandTable commands, MonitorInbox inbox, MonitorTurns turns)
{
    /// <summary>Takes what a client has sent, until a command of its own is at work.</summary>
    public void Serve(MonitorClient client)
    {
        try
        {
            while (
                !client.IsGone && !client.IsBusy && !client.IsEnding && client.TryReadMessage(out JsonMessage message)
            )
                Take(client, message);
        }
        catch (OutOfMemoryException)
        {
            client.Close(); // what it asks for is too much
        }
        if (client.IsInputEnded && !client.IsBusy && !client.HasInput)
            client.IsEnding = true;
        if (client.IsEnding && !client.HasOutput)
            client.Close();
    }

    void Take(MonitorClient client, in JsonMessage message)
    {
        client.IsEnding |= message.IsTooLong;
        JsonDocument? said = message.Kind == JsonKind.Object ? message.Document : null;
        JsonValue? id = said == null ? null : IdOf(said);
        CommandAnswer answer =
            message.Problem != null ? QmpError.Generic(message.Problem)
            : said == null ? QmpError.Generic("QMP input must be a JSON object")
            : Execute(client, said, id);
        client.EndMessage();
        if (!answer.IsLater)
            Finish(client, answer, id);
    }

    static JsonValue? IdOf(JsonDocument said)
    {
        int id = said.Find(JsonDocument.Root, "id");
        return id == JsonDocument.NotFound ? null : said.ToValue(id);
    }

    /// <summary>The client goes on to its next command.</summary>
    static void Finish(MonitorClient client, CommandAnswer answer, JsonValue? id)
    {
        client.IsBusy = false;
        client.Send(answer.ToJson(id));
    }

    CommandAnswer Execute(MonitorClient client, JsonDocument said, JsonValue? id)
    {
        if (Find(said, out string name) is { } error)
            return error;
        bool isNegotiating = name == "qmp_capabilities";
        if (!client.IsNegotiated && !isNegotiating)
            return QmpError.NotFound("Expecting capabilities negotiation with 'qmp_capabilities'");
        if (client.IsNegotiated && isNegotiating)
            return QmpError.NotFound("Capabilities negotiation is already complete, command ignored");
        if (commands.Find(name) is not { } handler)
            return QmpError.NotFound($"The command {name} has not been found");
        client.IsBusy = true;
        ArgumentReader arguments = new(said, said.Find(JsonDocument.Root, "arguments"));
        CommandCall call = new(arguments, inbox, given => Finish(client, given, id));
        CommandAnswer answer = Guarded(handler, call);
        client.IsNegotiated |= isNegotiating && answer.Error == null;
        return answer;
    }

    /// <summary>A bug in a command stops the engine, as in every call of the C interface; never the process.</summary>
    CommandAnswer Guarded(CommandHandler handler, CommandCall call)
    {
        try
        {
            return handler(call);
        }
#pragma warning disable CA1031 // the boundary: whatever it is, it must not end the host process
        catch (Exception exception)
#pragma warning restore CA1031
        {
            bool isMemory = Guard.Caught(exception, turns.MonitorId) == Status.NoMemory;
            return QmpError.Generic(isMemory ? "out of memory" : "an internal error: " + exception.Message);
        }
    }

    /// <summary>What a message must be. Source: QEMU 7.2 qapi/qmp-dispatch.c, qmp_dispatch_check_obj.</summary>
    static QmpError? Find(JsonDocument said, out string name)
    {
        name = "";
        bool hasName = false;
        int end = said.EndOf(JsonDocument.Root);
        for (int key = JsonDocument.Root + 1; key < end; key = said.EndOf(key + 1))
        {
            JsonKind kind = said.KindOf(key + 1);
            if (said.IsNamed(key, "execute") && kind == JsonKind.String)
                (name, hasName) = (said.TextOf(key + 1), true);
            else if (said.IsNamed(key, "execute"))
                return QmpError.Generic("QMP input member 'execute' must be a string");
            else if (said.IsNamed(key, "arguments") && kind != JsonKind.Object)
                return QmpError.Generic("QMP input member 'arguments' must be an object");
            else if (!said.IsNamed(key, "arguments") && !said.IsNamed(key, "id"))
                return QmpError.Generic($"QMP input member '{said.TextOf(key)}' is unexpected");
        }
        return hasName ? null : QmpError.Generic("QMP input lacks member 'execute'");
    }
}
