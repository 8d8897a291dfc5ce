// The framework's lock, as steps of a run: by its full name, so that the compiler's lock statement takes it.
// An entry that fails is a read and no fence; one that succeeds, and a leave, are fences.
using FastBackup.Base;
using FastBackup.Tests.Schedules.Machine;

namespace System.Threading;

public sealed class Lock
{
    static readonly object s_nobody = new(); // whoever is outside of a run

    object? _holder;
    int _depth;

    static object Me => Run.Current == null ? s_nobody : Run.Self;

    public bool IsHeldByCurrentThread => ReferenceEquals(_holder, Me);

    public bool TryEnter()
    {
        Run.Step();
        if (_holder != null && !IsHeldByCurrentThread)
            return false;
        Run.Fence();
        _holder = Me;
        _depth++;
        return true;
    }

    public void Enter()
    {
        while (!TryEnter())
            _ = Run.Await(() => _holder == null);
    }

    public void Exit()
    {
        Check.That(IsHeldByCurrentThread);
        if (_depth == 1)
            Run.Step();
        Run.Fence();
        if (--_depth == 0)
            _holder = null;
        if (Run.Current != null)
            Run.Self.ExchangeCount = 0;
    }

    public Scope EnterScope()
    {
        Enter();
        return new Scope(this);
    }

    public readonly ref struct Scope(Lock entered)
    {
        public void Dispose() => entered.Exit();
    }
}
