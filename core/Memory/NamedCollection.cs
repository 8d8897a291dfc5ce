// Things with names, in the order of their addition: found, added and taken out in O(1).
using System.Collections;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: one at a time.</summary>
public sealed class NamedCollection<T> : IReadOnlyCollection<T>
    where T : class
{
    readonly Dictionary<string, LinkedListNode<T>> _nodes = [];
    readonly LinkedList<T> _items = [];

    public int Count => _items.Count;

    public T? First => _items.First?.Value;

    /// <summary>The one of a name, or null.</summary>
    public T? Find(string name) => _nodes.TryGetValue(name, out LinkedListNode<T>? node) ? node.Value : null;

    /// <param name="name">Not in the list.</param>
    /// <param name="item">What is found by it.</param>
    public void Add(string name, T item) => _nodes.Add(name, _items.AddLast(item));

    /// <summary>Room for as many more, so that adding them moves nothing.</summary>
    public void Reserve(int count) => _nodes.EnsureCapacity(_nodes.Count + count);

    /// <param name="name">In the list.</param>
    public void Remove(string name)
    {
        Check.That(_nodes.Remove(name, out LinkedListNode<T>? node));
        _items.Remove(node!);
    }

    public void Clear()
    {
        _nodes.Clear();
        _items.Clear();
    }

    public LinkedList<T>.Enumerator GetEnumerator() => _items.GetEnumerator();

    IEnumerator<T> IEnumerable<T>.GetEnumerator() => _items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _items.GetEnumerator();
}
